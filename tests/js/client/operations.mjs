// Every operation that the server says it serves, called once by the official client; what came back
// is checked against the official schema of the answer.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import Ajv from 'ajv'
import { examples, prepare, variants } from './examples.mjs'
import { apiUrl } from './lib.mjs'
import { last } from './recorder.mjs'

const fixture = (name) => JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8'))
const official = fixture('operations.json')
const { beyond } = fixture('compatibility.json')
const added = beyond.filter((one) => one.in === 'answer').map((one) => one.field)

const ajv = new Ajv({ allErrors: true, strictSchema: false })
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
ajv.addSchema(official, 'official')

/** Takes away the fields that the official answers do not have: paths such as `messages[].delivery`. */
const strip = (answer, path) => {
  const [step, ...rest] = path.split('.')
  const name = step.replace('[]', '')
  if (answer === null || typeof answer !== 'object' || !(name in answer)) return
  if (rest.length === 0) return delete answer[name]
  for (const item of step.endsWith('[]') ? answer[name] : [answer[name]]) strip(item, rest.join('.'))
}

/** Checks the last answer against what the operation's must be. */
const check = (name, returned) => {
  const { method, path, status } = official.operations[name]
  assert.equal(last.method, method)
  assert.match(last.path, new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`))
  assert.equal(last.status, status, last.body)
  const answer = JSON.parse(last.body)
  assert.deepEqual(returned, answer)
  for (const field of added) strip(answer, field)
  // What was only there for these fields is not there officially either.
  if (official.operations[name].response.properties?.meta === undefined && isEmpty(answer.meta)) delete answer.meta
  const valid = ajv.validate({ $ref: `official#/operations/${name}/response` }, answer)
  assert.ok(valid, `${ajv.errorsText()}\n${last.body}`)
}

const isEmpty = (value) => value !== undefined && Object.keys(value).length === 0

const document = await (await fetch(`${apiUrl}/openapi.json`)).json()
const operations = Object.values(document.paths).flatMap((item) => Object.values(item))
const served = operations.map((operation) => operation.operationId)
assert.ok(served.length > 30)
const things = await prepare()

for (const name of served) {
  test(name, async () => {
    assert.ok(name in official.operations, 'not an official operation; say in this file how it is tested')
    assert.ok(name in examples, 'add an example to examples.mjs')
    check(name, await examples[name](things))
  })
}

for (const [name, field, call] of variants) {
  const operation = operations.find((one) => one.operationId === name)
  const { properties } = operation.requestBody.content['application/json'].schema
  const skip = !(field in properties) && 'not served'
  test(`${name} with ${field}`, { skip }, async () => check(name, await call(things)))
}

test('what is checked is checked strictly', () => {
  const { messageCount, ...conversation } = things.conversation
  assert.equal(typeof messageCount, 'number')
  const validate = ajv.compile({ $ref: 'official#/operations/getConversation/response' })
  assert.ok(validate({ conversation }))
  assert.ok(!validate({ conversation: { ...conversation, more: 1 } }))
  assert.ok(!validate({ conversation: { ...conversation, createdAt: 'today' } }))
  assert.ok(!validate({ conversation: { ...conversation, id: undefined } }))
})
