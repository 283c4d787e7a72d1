import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, botId, fails, integration, integrationId, stamped, thread, until } from './lib.mjs'

test('set, get, patch, get-or-set, delete, of conversations, users, the bot and the integration', async () => {
  const { conversation, user } = await thread()
  const owners = [
    [bot, 'conversation', conversation.id],
    [bot, 'user', user.id],
    [bot, 'bot', botId],
    [integration, 'integration', integrationId],
    [integration, 'conversation', conversation.id],
  ]
  for (const [client, type, id] of owners) {
    const key = { type, id, name: 'notes' }
    // The Telegram integration takes a state as missing only by these words.
    await fails(client.getState(key), 'ResourceNotFound', 404, /not found/i)
    const { state } = await client.setState({ ...key, payload: { a: 1, b: { c: 2 } } })
    assert.match(state.id, /^.{28,36}$/)
    assert.equal(state.type, type)
    assert.equal(state.name, 'notes')
    assert.equal(state.botId, botId)
    assert.deepEqual(state.payload, { a: 1, b: { c: 2 } })
    stamped(state, 'createdAt', 'updatedAt')

    assert.deepEqual((await client.getState(key)).state.payload, { a: 1, b: { c: 2 } })
    const patched = await client.patchState({ ...key, payload: { b: null, d: 4 } })
    assert.deepEqual(patched.state.payload, { a: 1, d: 4 })
    const kept = await client.getOrSetState({ ...key, payload: { other: true } })
    assert.deepEqual(kept.state.payload, { a: 1, d: 4 })
    assert.equal(typeof kept.meta.cached, 'boolean')

    await client.setState({ ...key, payload: null })
    await fails(client.getState(key), 'ResourceNotFound', 404, /not found/i)
    const set = await client.getOrSetState({ ...key, payload: { fresh: true } })
    assert.deepEqual(set.state.payload, { fresh: true })
  }
})

test('the integration\'s states and the bot\'s are apart', async () => {
  const { conversation } = await thread()
  const key = { type: 'conversation', id: conversation.id, name: 'same' }
  await bot.setState({ ...key, payload: { of: 'bot' } })
  await fails(integration.getState(key), 'ResourceNotFound', 404)
  await integration.setState({ ...key, payload: { of: 'integration' } })
  assert.deepEqual((await bot.getState(key)).state.payload, { of: 'bot' })
})

test('expiry', async () => {
  const { conversation } = await thread()
  const key = { type: 'conversation', id: conversation.id, name: 'short' }
  await bot.setState({ ...key, payload: { x: 1 }, expiry: 50 })
  await until('it has expired', async () => {
    // Asking renews an idle timer, so ask seldom.
    await new Promise((resolve) => setTimeout(resolve, 200))
    return bot.getState(key).then(() => false, (error) => error.type === 'ResourceNotFound')
  })
  await bot.setState({ ...key, payload: { x: 2 } })
  await bot.setStateExpiry({ ...key, expiry: 60_000 })
  assert.deepEqual((await bot.getState(key)).state.payload, { x: 2 })
  await fails(bot.setState({ ...key, payload: { x: 2 }, expiry: -1 }), 'InvalidPayload', 400)
})

test('a state of nothing', async () => {
  const key = { type: 'conversation', id: 'conv_01ARZ3NDEKTSV4RRFFQ69G5FAV', name: 'x' }
  await fails(bot.getState(key), 'ResourceNotFound', 404, /not found/i)
  // Which of the two depends on how the id is looked at: as addressed, or as referred to.
  const error = await bot.setState({ ...key, payload: {} }).then(() => assert.fail(), (error) => error)
  assert.ok(['ResourceNotFound', 'ReferenceNotFound'].includes(error.type), error.type)
})
