"""The schema of a new catalogue, as the migrations made it once.

Hundreds of tests make a catalogue, and alembic takes 60 ms for the way through all migrations.
"""

from sqlalchemy import Connection, create_engine

LISTED = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
"""What SQLite keeps of a schema; its own indexes and tables come by themselves."""


class Migrated:
    """Stands in for ``archive._migrate``: an empty catalogue gets the tables and rows of one that ``real`` has led.

    Any other is left to ``real``.
    """

    def __init__(self, real) -> None:
        self.real = real
        self._statements: list[tuple[str, list[tuple]]] = []

    def __call__(self, connection: Connection) -> None:
        """Lead a catalogue to the present schema."""
        if connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first():
            self.real(connection)
            return
        for statement, rows in self._statements or self._make():
            for row in rows:
                connection.exec_driver_sql(statement, row)

    def _make(self) -> list[tuple[str, list[tuple]]]:
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            self.real(connection)
            listed = connection.exec_driver_sql(LISTED).all()
            virtual = [name for name, sql in listed if sql.startswith("CREATE VIRTUAL")]
            for name, sql in listed:
                if name.startswith(tuple(f"{of}_" for of in virtual)):
                    continue  # comes with the virtual table
                self._statements.append((sql, [()]))
                if sql.startswith("CREATE TABLE"):
                    rows = [tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')]  # noqa: S608
                    marks = ", ".join("?" * len(rows[0])) if rows else ""
                    self._statements.append((f'INSERT INTO "{name}" VALUES ({marks})', rows))  # noqa: S608
        engine.dispose()
        return self._statements
