"""One of each relation and of the columns that shops use."""

from django.db import models


class Tag(models.Model):
    word = models.CharField(max_length=30, unique=True)


class Article(models.Model):
    reference = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    attributes = models.JSONField(default=dict)
    picture = models.BinaryField(null=True)
    tags = models.ManyToManyField(Tag)
    changed = models.DateTimeField(auto_now=True)
    barcode = models.CharField(max_length=20, default="")  # came with the second migration


class Person(models.Model):
    name = models.CharField(max_length=100)


class Employee(Person):
    """Multi-table inheritance: the primary key is a reference."""

    number = models.CharField(max_length=10, unique=True)
    manager = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)


class Store(models.Model):
    """A natural primary key."""

    code = models.CharField(max_length=8, primary_key=True)
    name = models.CharField(max_length=50)


class Invoice(models.Model):
    number = models.CharField(max_length=30, unique=True)
    store = models.ForeignKey(Store, on_delete=models.PROTECT)
    seller = models.ForeignKey(Employee, null=True, on_delete=models.SET_NULL)
    created = models.DateTimeField(auto_now_add=True)
    paid = models.BooleanField(default=False)


class Line(models.Model):
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    article = models.ForeignKey(Article, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "article"], name="one_line_per_article")]
