import type { CompiledQuery, Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** What stands in a query for a value that each run of it brings. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/**
 * A query that is built and made into text once for all values that have the same names: for what is asked so often that
 * this would cost more than its answer.
 * @param build makes it of stand-ins for the values, which may only be passed on.
 */
export function compileQuery<Values extends object, Row>(
  build: (db: Kysely<Tables>, values: Values) => { compile(): CompiledQuery<Row> },
): (db: Kysely<Tables>, values: Values) => Promise<Row[]> {
  /** By engine, and by the names. */
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
