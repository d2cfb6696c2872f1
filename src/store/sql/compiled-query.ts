import type { CompiledQuery, Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** Placeholder for a parameter supplied on each execution. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/**
 * Builds and compiles a query once for each set of value names. For frequent queries, whose compilation would cost more
 * than their execution.
 * @param build builds the query from placeholders; it may pass them on, but not read them.
 */
export function compileQuery<Values extends object, Row>(
  build: (db: Kysely<Tables>, values: Values) => { compile(): CompiledQuery<Row> },
): (db: Kysely<Tables>, values: Values) => Promise<Row[]> {
  /** By adapter, then by the value names. */
  const kept = new WeakMap<object, Map<string, CompiledQuery<Row>>>()
  return async (db, values) => {
    const { adapter } = db.getExecutor()
    const ofEngine = kept.get(adapter) ?? new Map<string, CompiledQuery<Row>>()
    kept.set(adapter, ofEngine)
    const names = Object.keys(values)
    const shape = names.join()
    const placeholders = () => Object.fromEntries(names.map((name) => [name, new Placeholder(name)]))
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const query = ofEngine.get(shape) ?? build(db, placeholders() as Values).compile()
    ofEngine.set(shape, query)
    const parameters = query.parameters.map((parameter) =>
      parameter instanceof Placeholder ? (Reflect.get(values, parameter.name) as unknown) : parameter,
    )
    return (await db.executeQuery<Row>({ ...query, parameters })).rows
  }
}
