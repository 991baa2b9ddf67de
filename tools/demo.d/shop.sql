-- The tables of a small supermarket, as Django's `migrate` writes them.
CREATE TABLE "shop_article" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "reference" varchar(20) NOT NULL UNIQUE, "name" varchar(100) NOT NULL, "price" decimal NOT NULL, "stock" integer NOT NULL);
CREATE TABLE "shop_client" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(100) NOT NULL, "phone" varchar(30) NULL);
CREATE TABLE "shop_invoice" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "number" varchar(30) NOT NULL UNIQUE, "created" datetime NOT NULL, "total" decimal NOT NULL, "client_id" bigint NOT NULL REFERENCES "shop_client" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "shop_line" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "quantity" integer NOT NULL, "price" decimal NOT NULL, "article_id" bigint NOT NULL REFERENCES "shop_article" ("id") DEFERRABLE INITIALLY DEFERRED, "invoice_id" bigint NOT NULL REFERENCES "shop_invoice" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX "shop_invoice_client_id_b2f4c0a1" ON "shop_invoice" ("client_id");
CREATE INDEX "shop_line_article_id_5c1e77d2" ON "shop_line" ("article_id");
CREATE INDEX "shop_line_invoice_id_90aa31fe" ON "shop_line" ("invoice_id");
