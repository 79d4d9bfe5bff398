/**
 * Node's own SQLite with as much of better-sqlite3's interface as LangGraph's saver uses: that library's binary is
 * fetched by an install script, and nothing here runs those.
 */
export async function openSqlite(path) {
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(path);
  return {
    exec: (sql) => db.exec(sql),
    pragma: (text) => db.prepare(`PRAGMA ${text}`).all(),
    prepare: (sql) => withoutUndefined(db.prepare(sql)),
    transaction:
      (work) =>
      (...args) => {
        db.exec('BEGIN');
        try {
          const result = work(...args);
          db.exec('COMMIT');
          return result;
        } catch (error) {
          db.exec('ROLLBACK');
          throw error;
        }
      },
    close: () => db.close(),
  };
}

/** better-sqlite3 takes undefined for NULL. */
function withoutUndefined(statement) {
  const bound = (values) => values.map((value) => value ?? null);
  return {
    run: (...values) => statement.run(...bound(values)),
    get: (...values) => statement.get(...bound(values)),
    all: (...values) => statement.all(...bound(values)),
    iterate: (...values) => statement.iterate(...bound(values)),
  };
}
