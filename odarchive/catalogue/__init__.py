"""The only code that speaks SQL: schema, access by subject, migrations, invariants as code."""
