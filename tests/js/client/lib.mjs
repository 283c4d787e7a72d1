// The official client, unmodified, as a bot and as its Telegram integration.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Client, isApiError } from '@botpress/client'

const { API_URL, BOT_ID, INTEGRATION_ID, TOKEN } = process.env
export const botId = BOT_ID
export const integrationId = INTEGRATION_ID
export const apiUrl = API_URL
export const token = TOKEN

/** The bot. */
export const bot = new Client({ apiUrl: API_URL, token: TOKEN, botId: BOT_ID })

/** Its integration. */
export const integration = new Client({
  apiUrl: API_URL,
  token: TOKEN,
  botId: BOT_ID,
  integrationId: INTEGRATION_ID,
  integrationAlias: 'telegram',
})

/** An external id that no other test uses. */
export const external = () => randomUUID()

/** A new conversation and a new user of the integration. */
export const thread = async () => {
  const id = external()
  const { conversation } = await integration.getOrCreateConversation({
    channel: 'channel',
    tags: { id },
    discriminateByTags: ['id'],
  })
  const { user } = await integration.getOrCreateUser({ tags: { id }, discriminateByTags: ['id'] })
  return { id, conversation, user }
}

/** Checks that a call fails as the client knows it: with a type, a status and a text. */
export const fails = async (call, type, code, text = /./) => {
  const error = await call.then(
    (value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`),
    (error) => error
  )
  assert.ok(isApiError(error), String(error))
  assert.equal(error.type, type, error.message)
  assert.equal(error.code, code)
  assert.match(error.message, text)
  assert.match(error.id, /./)
  return error
}

/** Waits for a condition. */
export const until = async (what, ask) => {
  const end = Date.now() + 30_000
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    assert.ok(Date.now() < end, `waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Checks an object's time stamps: ISO 8601 in UTC with milliseconds. */
export const stamped = (object, ...fields) => {
  for (const field of fields) assert.match(object[field], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
}

/** All pages of a list, by hand. */
export const pages = async (list, name, input) => {
  const all = []
  let nextToken
  do {
    const page = await list({ ...input, nextToken })
    all.push(page[name])
    nextToken = page.meta.nextToken
    assert.ok(all.length < 1000, 'the list does not end')
  } while (nextToken)
  return all
}
