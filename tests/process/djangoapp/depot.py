"""A second application, of eleven models, and its life: every operation that Django's migrations know, one a step.

Nothing here is generated from models: a step is applied as `migrate` applies a migration (in one transaction, and noted in
django_migrations), and who writes asks the state of the migrations what the models are at that moment."""

import datetime
from decimal import Decimal

from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection, migrations, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from django.utils import timezone

CASCADE, SET_NULL = models.CASCADE, models.SET_NULL


def key():
    return ("id", models.BigAutoField(primary_key=True))


def model(name, *fields, **options):
    return migrations.CreateModel(name, [key(), *fields], options)


def text(**more):
    return models.CharField(max_length=60, **more)


def to(target, **more):
    return models.ForeignKey("depot." + target, more.pop("on_delete", CASCADE), **more)


def relabel(apps, editor):
    for row in apps.get_model("depot", "Item").objects.all():
        row.label = "item " + row.name
        row.save()


FIRST = [
    model("Group", ("name", text(unique=True)), ("parent", to("Group", null=True, on_delete=SET_NULL))),
    model("Maker", ("name", text(unique=True)), ("data", models.JSONField(default=dict))),
    model("Item", ("name", text(unique=True)), ("price", models.DecimalField(max_digits=12, decimal_places=2, default=1)),
          ("group", to("Group")), ("maker", to("Maker", null=True, on_delete=SET_NULL)),
          ("changed", models.DateTimeField(auto_now=True)), ("weight", models.FloatField(null=True))),
    model("Label", ("word", text(unique=True)), ("items", models.ManyToManyField("depot.Item"))),
    model("Place", ("code", text()), ("floor", models.IntegerField(default=0)), unique_together={("code", "floor")}),
    model("Lot", ("item", to("Item")), ("place", to("Place")), ("count", models.IntegerField(default=0)),
          ("until", models.DateField(null=True))),
    model("Person", ("name", text())),
    model("Badge", ("person", models.OneToOneField("depot.Person", CASCADE)), ("number", text(unique=True))),
    model("Move", ("lot", to("Lot")), ("person", to("Person", null=True, on_delete=SET_NULL)),
          ("amount", models.DecimalField(max_digits=10, decimal_places=3)), ("at", models.DateTimeField())),
    model("Note", ("kind", models.ForeignKey("contenttypes.ContentType", CASCADE)), ("about", models.PositiveIntegerField()),
          ("body", models.TextField())),
    migrations.CreateModel("Setting", [("name", models.CharField(max_length=30, primary_key=True)),
                                       ("value", models.JSONField(null=True))]),
]

STEPS = [
    FIRST,
    [model("Order", ("number", text(unique=True)), ("maker", to("Maker", null=True, on_delete=SET_NULL)))],
    [migrations.AddField("item", "stock", models.IntegerField(default=0))],
    [migrations.AddField("item", "label", text(null=True))],
    [migrations.AlterField("item", "name", models.CharField(max_length=90, unique=True))],
    [migrations.AlterField("lot", "count", models.DecimalField(max_digits=10, decimal_places=2, default=0))],
    [migrations.AlterField("item", "label", text(default=""))],
    [migrations.RenameField("item", "weight", "kilos")],
    [migrations.RenameField("lot", "item", "thing")],
    [migrations.RenameModel("Place", "Shelf")],
    [migrations.RenameModel("Maker", "Brand")],
    [migrations.AlterModelTable("Person", "depot_people")],
    [migrations.AlterUniqueTogether("Lot", {("thing", "until")})],
    [migrations.AlterUniqueTogether("Lot", set())],
    [migrations.AlterIndexTogether("Move", {("lot", "at")})],
    [migrations.AddIndex("Move", models.Index(fields=["at"], name="move_at"))],
    [migrations.RemoveIndex("Move", "move_at")],
    [migrations.AddConstraint("Item", models.CheckConstraint(check=models.Q(price__gte=0), name="price_is_one"))],
    [migrations.RemoveConstraint("Item", "price_is_one")],
    [migrations.AddConstraint("Move", models.UniqueConstraint(fields=["lot", "at", "person"], name="one_move"))],
    [migrations.AlterOrderWithRespectTo("Lot", "thing")],
    [migrations.AlterModelOptions("Item", {"ordering": ["name"]})],
    [migrations.RunSQL("CREATE INDEX depot_by_hand ON depot_item(kilos)", "DROP INDEX depot_by_hand")],
    [migrations.RunPython(relabel)],
    [migrations.RemoveField("item", "stock")],
    [migrations.AlterField("badge", "number", text(null=True))],
    [migrations.AddField("group", "items", models.ManyToManyField("depot.Item", related_name="groups"))],
    [migrations.RenameModel("Item", "Article")],
    # as 4.2 and 5.2 take a column away, and add one
    [migrations.RunSQL("ALTER TABLE depot_brand DROP COLUMN data", state_operations=[migrations.RemoveField("brand", "data")])],
    [migrations.RunSQL("ALTER TABLE depot_brand ADD COLUMN country varchar(60) DEFAULT 'FR' NOT NULL",
                       state_operations=[migrations.AddField("brand", "country", text(default="FR"))])],
    [migrations.RunSQL('ALTER TABLE depot_brand ADD COLUMN "web site" text NULL', state_operations=[
        migrations.AddField("brand", "site", models.TextField(null=True, db_column="web site"))])],
    [migrations.DeleteModel("Note")],
]


def state_of(done):
    state = ProjectState(real_apps=["contenttypes"])
    for operations in STEPS[:done]:
        for operation in operations:
            operation.state_forwards("depot", state)
    return state


def done_so_far():
    recorder = MigrationRecorder(connection)
    return sum(1 for app, _ in recorder.applied_migrations() if app == "depot")


def again_if_locked(work, *words):
    """A transaction that has read and then writes fails at once while somebody else asks for the lock, as with two tills on
    one file; an application tries again, and who migrates does."""
    for attempt in range(5):
        try:
            return work(*words)
        except OperationalError as wrong:
            if "locked" not in str(wrong) or attempt == 4:
                raise


def step_once(number):
    migration = migrations.Migration("%04d" % (number + 1), "depot")
    migration.operations = STEPS[number]
    with connection.schema_editor(atomic=True) as editor:
        migration.apply(state_of(number), editor)
        MigrationRecorder(connection).record_applied("depot", migration.name)


def step(until):
    """Apply the steps that are not yet, as `migrate` does."""
    MigrationRecorder(connection).ensure_schema()
    for number in range(done_so_far(), int(until)):
        again_if_locked(step_once, number)


def value(field, tag, number):
    """Something for a field, other on each PC; None where there is nothing yet that it could name."""
    if field.remote_field:
        rows = field.remote_field.model.objects.order_by("?")
        if field.one_to_one:  # two PCs do not give two badges to one person
            rows = rows.filter(name__startswith=tag).exclude(pk__in=field.model.objects.values_list(field.attname, flat=True))
        return rows.first()
    made = {
        "DecimalField": lambda: Decimal(number) + Decimal("0.1"), "DateTimeField": timezone.now,
        "DateField": lambda: datetime.date(2026, 1, 1) + datetime.timedelta(5 * number + ord(tag) % 5),
        "JSONField": lambda: {"pc": tag, "n": [number, None, 0.1]}, "FloatField": lambda: number / 7,
        "IntegerField": lambda: number, "PositiveIntegerField": lambda: number,
    }.get(field.get_internal_type(), lambda: "%s-%d" % (tag, number))()
    return made[:field.max_length] if isinstance(made, str) and field.max_length else made


def fields_of(kind):
    return [f for f in kind._meta.concrete_fields if f.name not in ("id", "_order")]


def make(kind, tag, number):
    values = {field.name: value(field, tag, number) for field in fields_of(kind)}
    if any(values[f.name] is None and not f.null for f in fields_of(kind)):
        return None
    row = kind.objects.create(**values)
    for field in kind._meta.many_to_many:
        getattr(row, field.name).add(*field.remote_field.model.objects.order_by("-pk")[:2])
    return row


def change(kind, tag, number):
    """What an ORM does when a form is saved: all columns are written, one has changed."""
    row = kind.objects.order_by("pk")[number % 2:].first() if kind.__name__ != "Person" else None
    keys = {name for group in kind._meta.unique_together for name in group} | {"until"}
    fields = [f for f in fields_of(kind) if not f.remote_field and not f.unique and f.name not in keys]
    if row is None or not fields:
        return
    field = fields[number % len(fields)]
    setattr(row, field.name, value(field, tag, number))
    row.save()


def write(tag, number):
    again_if_locked(write_once, tag, number)


@transaction.atomic
def write_once(tag, number):
    """Of each model one row more, one changed, and now and then one that goes."""
    kinds = [k for k in state_of(done_so_far()).apps.get_models() if k._meta.app_label == "depot"]
    kinds = [k for k in kinds if not k._meta.auto_created]
    number = int(number)
    ContentType.objects.get_or_create(app_label="depot", model="item")
    waiting = [kind for kind in kinds if make(kind, tag, number) is None]
    for kind in waiting:  # for what came after it
        make(kind, tag, number)
    for kind in kinds:
        change(kind, tag, number)
        if number % 3 == 0 and kind.__name__ in ("Move", "Badge", "Note"):
            kind.objects.order_by("-pk").first().delete()


def live(until, tag, number):
    step(until)
    write(tag, number)


def steps():
    return len(STEPS)
