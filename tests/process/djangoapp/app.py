"""What the application does, one command a process: app.py COMMAND ARGUMENTS, with SHOP_DB in the environment."""

import json
import os
import pathlib
import sys
from decimal import Decimal

sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
import depot  # noqa: E402
from shop.models import Article, Employee, Invoice, Line, Person, Store, Tag  # noqa: E402


def migrate(*target):
    call_command("migrate", *target, verbosity=0)


def stock():
    food = Tag.objects.create(word="food")
    for reference, price in (("RICE", "18500.00"), ("OIL", "7900.50"), ("SOAP", "450.00")):
        article = Article.objects.create(reference=reference, name=reference.title(), price=Decimal(price),
                                         attributes={"shelf": len(reference), "bio": None}, picture=b"\x00\xff\x00")
        if reference != "SOAP":
            article.tags.add(food)
    Store.objects.create(code="ESSOS", name="Essos market")
    boss = Employee.objects.create(name="Ama", number="E1")
    Employee.objects.create(name="Ben", number="E2", manager=boss)


@transaction.atomic
def sell(number, seller, *basket):
    invoice = Invoice.objects.create(number=number, store=Store.objects.get(), seller=Employee.objects.get(number=seller))
    for reference in basket:
        article = Article.objects.get(reference=reference)
        Line.objects.create(invoice=invoice, article=article, quantity=2, price=article.price)
    invoice.paid = True
    invoice.save()


def edit():
    """Whole-row saves, a relation changed, a bulk update, a cascade."""
    rice = Article.objects.get(reference="RICE")
    rice.price += Decimal("0.25")
    rice.attributes["bio"] = True
    rice.tags.add(Tag.objects.create(word="new"))
    rice.save()
    Article.objects.filter(reference="SOAP").update(name="Soap, hard")
    Employee.objects.filter(number="E2").update(manager=None)
    Invoice.objects.filter(number__endswith="-gone").delete()


def dump():
    """Everything, through the ORM, without the numbers that each PC gives for itself."""
    return {
        "articles": [[a.reference, a.name, str(a.price), a.attributes, bytes(a.picture or b"").hex(),
                      sorted(t.word for t in a.tags.all())] for a in Article.objects.order_by("reference")],
        "people": sorted(p.name for p in Person.objects.all()),
        "employees": [[e.number, e.name, e.manager.number if e.manager else None]
                      for e in Employee.objects.order_by("number")],
        "invoices": [[i.number, i.store.name, i.seller.number if i.seller else None, i.paid,
                      sorted([l.article.reference, l.quantity, str(l.price)] for l in i.lines.all())]
                     for i in Invoice.objects.order_by("number")],
    }


COMMANDS = {"migrate": migrate, "stock": stock, "sell": sell, "edit": edit, "dump": dump,
            "steps": depot.steps, "step": depot.step, "write": depot.write, "live": depot.live}
print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
