import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, botId, external, fails, integration, pages, stamped, thread, until } from './lib.mjs'

const text = (conversation, user, words, tags = {}) => ({
  conversationId: conversation.id,
  userId: user.id,
  type: 'text',
  payload: { text: words },
  tags,
})

test('an integration\'s message comes in, the bot\'s goes out', async () => {
  const { conversation, user } = await thread()
  const { message } = await integration.createMessage(text(conversation, user, 'hello', { id: '71' }))
  assert.match(message.id, /^msg_[0-9A-Z]{26}$/)
  assert.equal(message.direction, 'incoming')
  assert.equal(message.userId, user.id)
  assert.equal(message.conversationId, conversation.id)
  assert.equal(message.type, 'text')
  assert.deepEqual(message.payload, { text: 'hello' })
  assert.deepEqual(message.tags, { id: '71' })
  stamped(message, 'createdAt', 'updatedAt')
  assert.deepEqual((await bot.getMessage({ id: message.id })).message.tags, { 'telegram:id': '71' })

  // The author has become a participant.
  await integration.getParticipant({ id: conversation.id, userId: user.id })

  const out = await bot.createMessage(text(conversation, { id: botId }, 'well'))
  assert.equal(out.message.direction, 'outgoing')
  assert.equal(out.message.userId, botId)
  // The integration has no Telegram token, so this fails, and it can be seen.
  await until('the delivery has failed', async () => {
    const { message } = await bot.getMessage({ id: out.message.id })
    return message.delivery?.status === 'failed' && message.delivery.error
  })
})

test('update merges tags and may replace the payload', async () => {
  const { conversation, user } = await thread()
  const { message } = await integration.createMessage(text(conversation, user, 'helo', { id: '1' }))
  const edited = await integration.updateMessage({
    id: message.id,
    tags: { edited: 'true' },
    payload: { text: 'hello' },
  })
  assert.deepEqual(edited.message.tags, { id: '1', edited: 'true' })
  assert.deepEqual(edited.message.payload, { text: 'hello' })
  // An acknowledgement as the SDK sends it.
  const acknowledged = await integration.updateMessage({ id: message.id, tags: { id: '77' } })
  assert.deepEqual(acknowledged.message.tags, { id: '77', edited: 'true' })
  assert.deepEqual(acknowledged.message.payload, { text: 'hello' })
})

test('get-or-create', async () => {
  const { conversation, user } = await thread()
  const make = () =>
    integration.getOrCreateMessage({
      ...text(conversation, user, 'once', { id: '5' }),
      discriminateByTags: ['id'],
    })
  const first = await make()
  assert.equal(first.meta.created, true)
  const again = await Promise.all(Array.from({ length: 16 }, make))
  assert.deepEqual(new Set(again.map((one) => one.message.id)), new Set([first.message.id]))
  assert.ok(again.every((one) => one.meta.created === false))
  const { messages } = await integration.listMessages({ conversationId: conversation.id })
  assert.deepEqual(messages.filter((one) => one.direction === 'incoming').length, 1)
})

test('lists are newest first; delete removes', async () => {
  const { conversation, user } = await thread()
  const group = external()
  const made = []
  for (let i = 0; i < 120; i++) {
    made.push((await integration.createMessage(text(conversation, user, `m${i}`, { group }))).message.id)
  }
  const filter = { conversationId: conversation.id, tags: { group } }
  const found = await pages(integration.listMessages, 'messages', filter)
  assert.ok(found.length > 1)
  assert.deepEqual(found.flat().map((one) => one.id), [...made].reverse())
  assert.deepEqual(await integration.deleteMessage({ id: made[0] }), {})
  await fails(integration.getMessage({ id: made[0] }), 'ResourceNotFound', 404, /not found/i)
  assert.equal((await integration.list.messages(filter).collect()).length, 119)
})

test('what a message refers to must exist', async () => {
  const { conversation, user } = await thread()
  const nobody = { id: 'user_01ARZ3NDEKTSV4RRFFQ69G5FAV' }
  const nowhere = { id: 'conv_01ARZ3NDEKTSV4RRFFQ69G5FAV' }
  await fails(integration.createMessage(text(nowhere, user, 'x')), 'ReferenceNotFound', 400)
  await fails(integration.createMessage(text(conversation, nobody, 'x')), 'ReferenceNotFound', 400)
  await fails(integration.createMessage({ ...text(conversation, user, 'x'), type: '' }), 'InvalidPayload', 400)
  await fails(
    integration.createMessage({ ...text(conversation, user, 'x'), payload: undefined }),
    'InvalidPayload',
    400
  )
})

test('a payload of any shape is kept as sent', async () => {
  const { conversation, user } = await thread()
  const payload = { nested: { list: [1, null, 'x'], empty: {} }, text: '\u{1F642}' }
  const { message } = await integration.createMessage({ ...text(conversation, user, ''), type: 'custom', payload })
  assert.deepEqual((await integration.getMessage({ id: message.id })).message.payload, payload)
})
