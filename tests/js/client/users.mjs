import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, botId, external, fails, integration, pages, stamped, thread } from './lib.mjs'

test('create, get, update, delete', async () => {
  const id = external()
  const { user } = await integration.createUser({
    tags: { id },
    name: 'Ada',
    pictureUrl: 'data:image/png;base64,AAAA',
  })
  assert.match(user.id, /^user_[0-9A-Z]{26}$/)
  assert.deepEqual(user.tags, { id })
  assert.equal(user.name, 'Ada')
  assert.equal(user.pictureUrl, 'data:image/png;base64,AAAA')
  stamped(user, 'createdAt', 'updatedAt')
  assert.deepEqual((await integration.getUser({ id: user.id })).user, user)
  assert.deepEqual((await bot.getUser({ id: user.id })).user.tags, { 'telegram:id': id })

  // The Telegram integration sends the whole object back.
  const renamed = await integration.updateUser({ ...user, name: 'Ada L.' })
  assert.equal(renamed.user.name, 'Ada L.')
  assert.equal(renamed.user.pictureUrl, user.pictureUrl)
  const cleared = await integration.updateUser({ id: user.id, name: null, pictureUrl: null, tags: { lang: 'en' } })
  assert.equal(cleared.user.name, undefined)
  assert.equal(cleared.user.pictureUrl, undefined)
  assert.deepEqual(cleared.user.tags, { id, lang: 'en' })

  assert.deepEqual(await integration.deleteUser({ id: user.id }), {})
  await fails(integration.getUser({ id: user.id }), 'ResourceNotFound', 404, /not found/i)
})

test('get-or-create', async () => {
  const id = external()
  const make = (more) =>
    integration.getOrCreateUser({ tags: { id, ...more }, discriminateByTags: ['id'], name: 'Ada' })
  const first = await make()
  const second = await make({ lang: 'en' })
  assert.equal(first.meta.created, true)
  assert.equal(second.meta.created, false)
  assert.equal(second.user.id, first.user.id)
  const racing = await Promise.all(Array.from({ length: 16 }, () => make()))
  assert.equal(new Set(racing.map((one) => one.user.id)).size, 1)
})

test('the bot is a user with its own id', async () => {
  const { user } = await bot.getUser({ id: botId })
  assert.equal(user.id, botId)
})

test('lists', async () => {
  const group = external()
  const made = []
  for (let i = 0; i < 60; i++) {
    made.push((await integration.createUser({ tags: { id: external(), group } })).user.id)
  }
  const found = await pages(integration.listUsers, 'users', { tags: { group } })
  assert.deepEqual(found.flat().map((one) => one.id), [...made].reverse())
  const byBot = await bot.list.users({ tags: { 'telegram:group': group } }).collect()
  assert.equal(byBot.length, 60)

  const { conversation, user } = await thread()
  await integration.addParticipant({ id: conversation.id, userId: user.id })
  const { users } = await integration.listUsers({ conversationId: conversation.id })
  assert.deepEqual(users.map((one) => one.id), [user.id])
})
