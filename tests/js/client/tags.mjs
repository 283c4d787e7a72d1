import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, external, fails, integration, pages, thread } from './lib.mjs'

const values = async (client, key, type) => {
  const found = await pages(client.listTagValues, 'tags', { key, type })
  return found.flat().map((tag) => tag.value)
}

test('values of each kind, each once', async () => {
  const key = external()
  const { conversation, user } = await thread()
  const tags = { [key]: 'b' }
  await integration.updateConversation({ id: conversation.id, tags })
  await integration.updateUser({ id: user.id, tags })
  for (let i = 0; i < 2; i++) {
    await integration.createMessage({
      conversationId: conversation.id,
      userId: user.id,
      type: 'text',
      payload: { text: 'hi' },
      tags,
    })
  }
  for (const type of ['conversation', 'user', 'message']) {
    assert.deepEqual(await values(integration, key, type), ['b'])
    assert.deepEqual(await values(bot, `telegram:${key}`, type), ['b'])
    assert.deepEqual(await values(bot, key, type), [])
  }
  await integration.updateUser({ id: user.id, tags: { [key]: 'c' } })
  assert.deepEqual(await values(integration, key, 'user'), ['c'])
  await integration.deleteUser({ id: user.id })
  assert.deepEqual(await values(integration, key, 'user'), [])
})

test('pages, while more come', async () => {
  const key = `a/b?c#${external()}`
  const made = Array.from({ length: 45 }, (_, i) => `${String(i).padStart(2, '0')} & %2F é`)
  for (const value of [...made].reverse()) await integration.createUser({ tags: { [key]: value } })
  const found = []
  let nextToken
  do {
    const page = await integration.listTagValues({ key, type: 'user', nextToken })
    found.push(...page.tags.map((tag) => tag.value))
    nextToken = page.meta.nextToken
    await integration.createUser({ tags: { [key]: `!${external()}` } })
  } while (nextToken)
  assert.deepEqual(found, made)
})

test('what is wrong is named', async () => {
  await fails(bot.listTagValues({ key: 'a', type: 'workflow' }), 'InvalidQuery', 400, /type/)
  await fails(bot.listTagValues({ key: 'a'.repeat(201), type: 'user' }), 'InvalidPayload', 400, /key/)
})
