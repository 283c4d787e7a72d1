import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, botId, external, fails, integration, pages, thread, until } from './lib.mjs'

const incoming = (id, said) => ({
  user: { tags: { id }, name: 'Ada', discriminateByTags: ['id'] },
  conversation: { channel: 'channel', tags: { id }, discriminateByTags: ['id'] },
  message: { type: 'text', payload: { text: said }, tags: { id: said }, discriminateByTags: ['id'] },
})

test('a message comes in with its user and conversation, once', async () => {
  const id = external()
  const calls = Array.from({ length: 16 }, () => integration.initializeIncomingMessage(incoming(id, '71')))
  const answers = await Promise.all(calls)
  for (const what of ['user', 'conversation', 'message']) {
    assert.equal(new Set(answers.map((one) => one[what].id)).size, 1, what)
  }
  const [{ user, conversation, message }] = answers
  assert.equal(message.direction, 'incoming')
  assert.equal(message.userId, user.id)
  assert.equal(message.conversationId, conversation.id)
  const { events } = await bot.listEvents({ conversationId: conversation.id, type: 'message_created' })
  assert.equal(events.length, 1)
  await integration.getParticipant({ id: conversation.id, userId: user.id })

  const known = await integration.initializeIncomingMessage({ userId: user.id, conversationId: conversation.id })
  assert.equal(known.conversation.id, conversation.id)
  assert.equal(known.message, undefined)
  await fails(integration.initializeIncomingMessage({ userId: user.id }), 'InvalidPayload', 400, /conversation/)
  await fails(bot.initializeIncomingMessage(incoming(id, '72')), 'Forbidden', 403)
})

test('history is imported where it belongs and handed to nobody', async () => {
  const { conversation, user } = await thread()
  const past = (n, author = user.id) => ({
    conversationId: conversation.id,
    userId: author,
    type: 'text',
    payload: { n },
    tags: { id: String(n) },
    createdAt: new Date(Date.UTC(2020, 0, 1, 0, n)).toISOString(),
    discriminateByTags: ['id'],
  })
  const numbers = Array.from({ length: 50 }, (_, n) => n)
  const messages = numbers.map((n) => past(n, n % 2 ? botId : user.id)).reverse()
  const first = await integration.importMessages({ messages })
  const again = await integration.importMessages({ messages })
  assert.deepEqual(again, first)
  assert.equal(first.messages.length, 50)
  const found = await pages(integration.listMessages, 'messages', { conversationId: conversation.id })
  assert.deepEqual(found.flat().map((one) => one.payload.n), [...numbers].reverse())
  const { events } = await bot.listEvents({ conversationId: conversation.id })
  assert.deepEqual(events, [])
  assert.equal((await bot.getConversation({ id: conversation.id })).conversation.messageCount, 50)
  const counted = async (filter) =>
    (await integration.listConversations({ tags: conversation.tags, ...filter })).conversations.length
  assert.equal(await counted({ minMessageCount: 50, maxMessageCount: 50 }), 1)
  assert.equal(await counted({ minMessageCount: 51 }), 0)
  assert.equal(await counted({ maxMessageCount: 49 }), 0)
})

test('an event comes when it is due', async () => {
  const { conversation } = await thread()
  const type = `t${external()}`
  const schedule = { delay: 1500 }
  const { event } = await integration.createEvent({ type, payload: {}, conversationId: conversation.id, schedule })
  assert.equal(event.status, 'scheduled')
  const dateTime = new Date(Date.now() + 3_600_000).toISOString()
  const late = await bot.createEvent({ type: 'late', payload: {}, schedule: { dateTime } })
  const { events } = await bot.listEvents({ status: 'scheduled' })
  assert.ok([event.id, late.event.id].every((id) => events.some((one) => one.id === id)))
  await until('it is processed', async () => (await bot.getEvent({ id: event.id })).event.status === 'processed')
  assert.ok(Date.now() - Date.parse(event.createdAt) >= 1500)
  assert.deepEqual(await bot.cancelScheduledEvent({ id: late.event.id }), {})
  assert.equal((await bot.getEvent({ id: late.event.id })).event.status, 'canceled')
  await fails(bot.cancelScheduledEvent({ id: event.id }), 'InvalidPayload', 400, /processed/)
})

test('a message goes out when it is due', async () => {
  const { conversation } = await thread()
  const say = (text, schedule) =>
    bot.createMessage({ conversationId: conversation.id, userId: botId, type: 'text', payload: { text }, tags: {}, schedule })
  const { message } = await say('later', { delay: 1000 })
  assert.equal(message.delivery.status, 'scheduled')
  const { message: soon } = await say('now')
  const ids = async () =>
    (await bot.listMessages({ conversationId: conversation.id })).messages.map((one) => one.id)
  assert.deepEqual(await ids(), [soon.id])
  await until('it is listed', async () => (await ids()).length === 2)
  assert.deepEqual(await ids(), [message.id, soon.id])
  // The integration has no Telegram token: it was tried.
  await until('it was handed on', async () => {
    const { message: now } = await bot.getMessage({ id: message.id })
    return now.delivery.status === 'failed'
  })
})
