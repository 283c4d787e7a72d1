import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, external, fails, integration, pages, stamped, thread, until } from './lib.mjs'

test('an integration\'s event reaches the bot under the alias', async () => {
  const { conversation, user } = await thread()
  const { event } = await integration.createEvent({
    type: 'custom',
    payload: { a: 1 },
    conversationId: conversation.id,
    userId: user.id,
  })
  assert.match(event.id, /^evt_[0-9A-Z]{26}$/)
  assert.equal(event.type, 'custom')
  assert.deepEqual(event.payload, { a: 1 })
  assert.equal(event.conversationId, conversation.id)
  assert.equal(event.userId, user.id)
  assert.equal(event.failureReason, null)
  stamped(event, 'createdAt')
  const seen = (await bot.getEvent({ id: event.id })).event
  assert.equal(seen.type, 'telegram:custom')
  const done = await until('the bot has taken it', async () => {
    const { event: now } = await bot.getEvent({ id: event.id })
    return now.status !== 'pending' && now
  })
  assert.equal(done.status, 'processed')
})

test('a message makes an event with everything in it', async () => {
  const { id, conversation, user } = await thread()
  const { message } = await integration.createMessage({
    conversationId: conversation.id,
    userId: user.id,
    type: 'text',
    payload: { text: 'hello' },
    tags: { id: '9' },
  })
  const { events } = await bot.listEvents({ conversationId: conversation.id, type: 'message_created' })
  assert.equal(events.length, 1)
  const [event] = events
  assert.equal(event.messageId, message.id)
  assert.equal(event.payload.message.id, message.id)
  assert.deepEqual(event.payload.message.tags, { 'telegram:id': '9' })
  assert.equal(event.payload.user.id, user.id)
  assert.equal(event.payload.conversation.tags['telegram:id'], id)
})

test('lists filter and end', async () => {
  const { conversation } = await thread()
  const type = `t${external()}`
  for (let i = 0; i < 60; i++) {
    await integration.createEvent({ type, payload: { i }, conversationId: conversation.id })
  }
  const found = await pages(bot.listEvents, 'events', { type: `telegram:${type}` })
  assert.deepEqual(found.flat().map((one) => one.payload.i), Array.from({ length: 60 }, (_, i) => 59 - i))
  await until('all are processed', async () => {
    const { events } = await bot.listEvents({ type: `telegram:${type}`, status: 'pending' })
    return events.length === 0
  })
  await fails(bot.getEvent({ id: 'evt_01ARZ3NDEKTSV4RRFFQ69G5FAV' }), 'ResourceNotFound', 404, /not found/i)
})
