import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, external, fails, integration, pages, stamped, thread } from './lib.mjs'

test('create, get, update, delete', async () => {
  const id = external()
  const { conversation } = await integration.createConversation({
    channel: 'channel',
    tags: { id, lang: 'en' },
  })
  assert.match(conversation.id, /^conv_[0-9A-Z]{26}$/)
  assert.deepEqual(conversation.tags, { id, lang: 'en' })
  assert.equal(conversation.channel, 'channel')
  assert.equal(conversation.integration, 'telegram')
  stamped(conversation, 'createdAt', 'updatedAt')

  assert.deepEqual((await integration.getConversation({ id: conversation.id })).conversation, conversation)

  // The bot sees the integration's tags under the alias.
  const seen = (await bot.getConversation({ id: conversation.id })).conversation
  assert.deepEqual(seen.tags, { 'telegram:id': id, 'telegram:lang': 'en' })

  // An update merges; the empty string removes.
  const updated = await integration.updateConversation({
    id: conversation.id,
    tags: { lang: '', title: 'Team' },
  })
  assert.deepEqual(updated.conversation.tags, { id, title: 'Team' })
  // A bot's own tag is not the integration's to see.
  const own = await bot.updateConversation({ id: conversation.id, tags: { mood: 'good' } })
  assert.deepEqual(own.conversation.tags, { 'telegram:id': id, 'telegram:title': 'Team', mood: 'good' })
  const still = await integration.getConversation({ id: conversation.id })
  assert.deepEqual(still.conversation.tags, { id, title: 'Team' })

  assert.deepEqual(await integration.deleteConversation({ id: conversation.id }), {})
  await fails(integration.getConversation({ id: conversation.id }), 'ResourceNotFound', 404, /not found/i)
  await fails(integration.deleteConversation({ id: conversation.id }), 'ResourceNotFound', 404)
})

test('get-or-create finds by the tags that discriminate, merges the others and tells what it did', async () => {
  const id = external()
  const first = await integration.getOrCreateConversation({
    channel: 'channel',
    tags: { id, lang: 'en' },
    discriminateByTags: ['id'],
  })
  assert.equal(first.meta.created, true)
  const second = await integration.getOrCreateConversation({
    channel: 'channel',
    tags: { id, title: 'Team' },
    discriminateByTags: ['id'],
  })
  assert.equal(second.meta.created, false)
  assert.equal(second.conversation.id, first.conversation.id)
  assert.deepEqual(second.conversation.tags, { id, lang: 'en', title: 'Team' })
  // Without the list all given tags discriminate.
  const third = await integration.getOrCreateConversation({ channel: 'channel', tags: { id, lang: 'de' } })
  assert.equal(third.meta.created, true)
  assert.notEqual(third.conversation.id, first.conversation.id)
  // The bot finds the same one by its own names.
  const byBot = await bot.listConversations({ tags: { 'telegram:id': id, 'telegram:title': 'Team' } })
  assert.deepEqual(byBot.conversations.map((found) => found.id), [first.conversation.id])

  const missing = integration.getOrCreateConversation({
    channel: 'channel',
    tags: { lang: 'en' },
    discriminateByTags: ['id'],
  })
  await fails(missing, 'InvalidPayload', 400)
  const empty = integration.getOrCreateConversation({ channel: 'channel', tags: {} })
  await fails(empty, 'InvalidPayload', 400)
})

test('create always creates; get-or-create then finds the first', async () => {
  const id = external()
  const one = await integration.createConversation({ channel: 'channel', tags: { id, thread: '1' } })
  const two = await integration.createConversation({ channel: 'channel', tags: { id, thread: '2' } })
  assert.notEqual(one.conversation.id, two.conversation.id)
  const found = await integration.getOrCreateConversation({
    channel: 'channel',
    tags: { id },
    discriminateByTags: ['id'],
  })
  assert.equal(found.meta.created, false)
  assert.equal(found.conversation.id, one.conversation.id)
})

test('lists end, newest first, each one once, and filter by tags, participants and time', async () => {
  const group = external()
  const made = []
  for (let i = 0; i < 120; i++) {
    const { conversation } = await integration.createConversation({
      channel: 'channel',
      tags: { id: external(), group },
    })
    made.push(conversation.id)
  }
  const found = await pages(integration.listConversations, 'conversations', { tags: { group } })
  assert.ok(found.length > 1, 'more than one page')
  assert.deepEqual(found.flat().map((one) => one.id), [...made].reverse())
  assert.ok(found.every((page) => page.length > 0), 'no empty page')

  // The client's own loop.
  const collected = await integration.list.conversations({ tags: { group } }).collect()
  assert.equal(new Set(collected.map((one) => one.id)).size, 120)

  const ascending = await pages(integration.listConversations, 'conversations', {
    tags: { group },
    sortField: 'createdAt',
    sortDirection: 'asc',
  })
  assert.deepEqual(ascending.flat().map((one) => one.id), made)

  const none = await integration.listConversations({ tags: { group: 'another' } })
  assert.deepEqual(none.conversations, [])
  assert.equal(none.meta.nextToken, undefined)
  await fails(integration.listConversations({ nextToken: 'nonsense' }), 'InvalidQuery', 400)

  const { conversation, user } = await thread()
  await integration.addParticipant({ id: conversation.id, userId: user.id })
  const mine = await integration.listConversations({ participantIds: [user.id] })
  assert.deepEqual(mine.conversations.map((one) => one.id), [conversation.id])

  const { createdAt } = conversation
  const since = await integration.listConversations({ participantIds: [user.id], afterDate: createdAt })
  assert.equal(since.conversations.length, 1)
  const before = new Date(Date.parse(createdAt) - 1).toISOString()
  const until = await integration.listConversations({ participantIds: [user.id], beforeDate: before })
  assert.equal(until.conversations.length, 0)
})

test('odd characters in tags come back and filter exactly', async () => {
  for (const odd of ['a&b=c', 'a+b', 'a b', '100%', '%2B', '"quoted"\\', 'line1\nline2', '🙂é中', '  padded  ']) {
    const id = odd + external()
    const { conversation } = await integration.createConversation({ channel: 'channel', tags: { id } })
    const { conversations } = await integration.listConversations({ tags: { id } })
    assert.deepEqual(conversations.map((one) => [one.id, one.tags.id]), [[conversation.id, id]])
  }
})

test('participants', async () => {
  const { conversation, user } = await thread()
  const { id } = conversation
  assert.deepEqual((await integration.listParticipants({ id })).participants, [])
  const { participant } = await integration.addParticipant({ id, userId: user.id })
  assert.deepEqual(participant, user)
  // Once more is no error.
  await integration.addParticipant({ id, userId: user.id })
  const { participants } = await integration.listParticipants({ id })
  assert.deepEqual(participants.map((one) => one.id), [user.id])
  assert.equal((await bot.getParticipant({ id, userId: user.id })).participant.id, user.id)
  assert.deepEqual(await integration.removeParticipant({ id, userId: user.id }), {})
  await fails(integration.getParticipant({ id, userId: user.id }), 'ResourceNotFound', 404)
  const stranger = 'user_01ARZ3NDEKTSV4RRFFQ69G5FAV'
  await fails(integration.addParticipant({ id, userId: stranger }), 'ReferenceNotFound', 400)

  for (let i = 0; i < 60; i++) {
    const one = await integration.createUser({ tags: { id: external() } })
    await integration.addParticipant({ id, userId: one.user.id })
  }
  const all = await integration.list.participants({ id }).collect()
  assert.equal(new Set(all.map((one) => one.id)).size, 60)
})
