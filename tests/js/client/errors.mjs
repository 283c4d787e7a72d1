import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '@botpress/client'
import { apiUrl, bot, botId, fails, integration, integrationId, token, thread } from './lib.mjs'

const as = (props) => new Client({ apiUrl, token, botId, ...props })

test('who may not', async () => {
  await fails(as({ token: 'wrong' }).listUsers({}), 'Unauthorized', 401)
  await fails(as({ botId: 'bot_01ARZ3NDEKTSV4RRFFQ69G5FAV' }).listUsers({}), 'Forbidden', 403)
  const other = { integrationId: 'int_01ARZ3NDEKTSV4RRFFQ69G5FAV', integrationAlias: 'telegram' }
  await fails(as(other).listUsers({}), 'Forbidden', 403)
  const misnamed = { integrationId, integrationAlias: 'slack' }
  await fails(as(misnamed).listUsers({}), 'Forbidden', 403)
})

test('the words do not tell whether what is forbidden exists', async () => {
  const one = await fails(bot.getConversation({ id: 'conv_01ARZ3NDEKTSV4RRFFQ69G5FAV' }), 'ResourceNotFound', 404)
  const two = await fails(bot.getConversation({ id: 'nonsense-nonsense-nonsense-nonsense' }), 'ResourceNotFound', 404)
  assert.equal(
    one.message.replace('conv_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'ID'),
    two.message.replace('nonsense-nonsense-nonsense-nonsense', 'ID')
  )
})

test('bad bodies name the field', async () => {
  await fails(integration.createConversation({ channel: 'channel', tags: { id: 5 } }), 'InvalidPayload', 400, /id/)
  await fails(integration.createConversation({ tags: {} }), 'InvalidPayload', 400, /channel/)
  const long = { id: 'x'.repeat(501) }
  await fails(integration.createConversation({ channel: 'channel', tags: long }), 'InvalidPayload', 400, /id/)
  await fails(bot.listConversations({ sortField: 'colour' }), 'InvalidQuery', 400, /sortField/)
})

test('too large', async () => {
  const { conversation, user } = await thread()
  const message = (size) => ({
    conversationId: conversation.id,
    userId: user.id,
    type: 'text',
    payload: { text: 'x'.repeat(size) },
    tags: {},
  })
  await integration.createMessage(message(120_000))
  await fails(integration.createMessage(message(200_000)), 'PayloadTooLarge', 413)
})

test('what is not served says so', async () => {
  const error = await bot.listTables({}).then(() => assert.fail(), (error) => error)
  assert.ok([404, 405, 501].includes(error.code) || error.type === 'Unknown', `${error.code} ${error.type}`)
  assert.notEqual(error.message, '')
})

test('a process finds the server by its environment', async () => {
  process.env.BP_API_URL = apiUrl
  process.env.BP_TOKEN = token
  process.env.BP_BOT_ID = botId
  const { user } = await new Client({}).getUser({ id: botId })
  assert.equal(user.id, botId)
})
