"""A small supermarket: its tables as Django makes them, and a till that sells."""

import datetime
import pathlib

SCHEMA = pathlib.Path(__file__).with_name("shop.sql")
ARTICLES = [("RIZ25", "Rice 25 kg", "18500"), ("HUILE5", "Oil 5 l", "7900"), ("SUCRE1", "Sugar 1 kg", "850"),
            ("SAVON", "Soap", "450"), ("LAIT", "Milk 1 l", "1200"), ("CAFE", "Coffee 500 g", "3600")]
CLIENTS = ["Walk-in customer", "Hotel Central", "School canteen"]


def make_tables(connection, journal_mode="wal"):
    connection.execute("PRAGMA journal_mode = %s" % journal_mode)
    connection.executescript(SCHEMA.read_text())


def stock_shelves(connection):
    """Articles and clients, as the shop that was there first has them."""
    connection.execute("BEGIN")
    for reference, name, price in ARTICLES:
        connection.execute("INSERT INTO shop_article(reference, name, price, stock) VALUES (?, ?, ?, 1000)",
                           (reference, name, price))
    for name in CLIENTS:
        connection.execute("INSERT INTO shop_client(name) VALUES (?)", (name,))
    connection.execute("COMMIT")


def sell(connection, number, basket, client=CLIENTS[0]):
    """One sale in one transaction: an invoice and a line for each (article reference, quantity). Returns its id."""
    now = datetime.datetime.now().isoformat(sep=" ")
    connection.execute("BEGIN IMMEDIATE")
    client_id = connection.execute("SELECT id FROM shop_client WHERE name = ?", (client,)).fetchone()[0]
    invoice = connection.execute(
        "INSERT INTO shop_invoice(number, created, total, client_id) VALUES (?, ?, 0, ?)",
        (number, now, client_id)).lastrowid
    for reference, quantity in basket:
        article, price = connection.execute("SELECT id, price FROM shop_article WHERE reference = ?",
                                            (reference,)).fetchone()
        connection.execute("INSERT INTO shop_line(quantity, price, article_id, invoice_id) VALUES (?, ?, ?, ?)",
                           (quantity, price, article, invoice))
    connection.execute("UPDATE shop_invoice SET total = (SELECT sum(quantity * price) FROM shop_line"
                       " WHERE invoice_id = shop_invoice.id) WHERE id = ?", (invoice,))
    connection.execute("COMMIT")
    return invoice


def sale(connection, number):
    """What the books say about a sale: [(id, client, [(article reference, quantity)...])...], one per invoice."""
    found = []
    for invoice, client in connection.execute(
            "SELECT i.id, c.name FROM shop_invoice i JOIN shop_client c ON c.id = i.client_id WHERE i.number = ?",
            (number,)).fetchall():
        lines = connection.execute(
            "SELECT a.reference, l.quantity FROM shop_line l JOIN shop_article a ON a.id = l.article_id"
            " WHERE l.invoice_id = ? ORDER BY a.reference, l.quantity", (invoice,)).fetchall()
        found.append((invoice, client, lines))
    return found
