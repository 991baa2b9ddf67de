"""The second release: on SQLite, adding the column makes the table anew, and its triggers are gone."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0001_first'),
    ]

    operations = [
        migrations.AddField(
            model_name='article',
            name='barcode',
            field=models.CharField(default='', max_length=20),
        ),
    ]
