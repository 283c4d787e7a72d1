// Writes tests/fixtures/operations.json anew: what the official package `@botpress/api` says that its
// runtime API has. Names, routes and shapes only; no texts.
//
//   npm pack @botpress/api      # anywhere, and unpack it
//   node tests/js/official-operations.mjs <the unpacked folder>
//   cargo xtask compatibility
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const folder = resolve(process.argv[2] ?? '.')
const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
const { state } = createRequire(import.meta.url)(folder).runtime

/** A schema without its texts. Below `properties` the names are fields, whatever they are called. */
const bare = (schema, fields = false) => {
  if (Array.isArray(schema)) return schema.map((item) => bare(item))
  if (schema === null || typeof schema !== 'object') return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => fields || !['description', 'title'].includes(key))
      .map(([key, value]) => [key, bare(value, !fields && key === 'properties')])
  )
}

/** The names of an operation's parameters of one kind. */
const parameters = (operation, kind) =>
  Object.entries(operation.parameters)
    .filter(([, parameter]) => parameter.in === kind)
    .map(([name]) => name)

const operations = {}
for (const [name, operation] of Object.entries(state.operations)) {
  operations[name] = {
    method: operation.method,
    path: operation.path,
    query: parameters(operation, 'query'),
    body: Object.keys(operation.requestBody?.schema.properties ?? {}),
    status: operation.response.status ?? 200,
    response: bare(operation.response.schema),
  }
}
const schemas = Object.fromEntries(
  Object.entries(state.schemas).map(([name, { schema }]) => [name, bare(schema)])
)

// One operation or schema a line, so that a change can be read.
const lines = (object) =>
  Object.entries(object)
    .map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    .join(',\n')
const text = `{
  "package": ${JSON.stringify(name)},
  "version": ${JSON.stringify(version)},
  "operations": {
${lines(operations)}
  },
  "components": { "schemas": {
${lines(schemas)}
  } }
}
`
writeFileSync(new URL('../fixtures/operations.json', import.meta.url), text)
