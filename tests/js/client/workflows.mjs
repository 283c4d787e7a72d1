import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bot, external, fails, integration, pages, stamped, thread, until } from './lib.mjs'

const unknown = 'wflow_01ARZ3NDEKTSV4RRFFQ69G5FAV'

test('create, get, update, delete', async () => {
  const { conversation, user } = await thread()
  const { workflow: parent } = await bot.createWorkflow({ name: 'whole', status: 'listening' })
  const { workflow } = await bot.createWorkflow({
    name: 'part',
    status: 'pending',
    input: { pages: [1, 2] },
    tags: { kind: 'report' },
    conversationId: conversation.id,
    userId: user.id,
    parentWorkflowId: parent.id,
    timeoutAt: '2030-01-02T03:04:05.678Z',
  })
  assert.match(workflow.id, /^.{28,36}$/)
  stamped(workflow, 'createdAt', 'updatedAt', 'timeoutAt')
  assert.deepEqual(
    { ...workflow, id: 0, createdAt: 0, updatedAt: 0 },
    {
      id: 0,
      name: 'part',
      status: 'pending',
      input: { pages: [1, 2] },
      output: {},
      parentWorkflowId: parent.id,
      conversationId: conversation.id,
      userId: user.id,
      createdAt: 0,
      updatedAt: 0,
      timeoutAt: '2030-01-02T03:04:05.678Z',
      tags: { kind: 'report' },
    }
  )
  assert.deepEqual((await bot.getWorkflow({ id: workflow.id })).workflow, workflow)

  const { workflow: changed } = await bot.updateWorkflow({
    id: workflow.id,
    output: { page: 1 },
    tags: { kind: '', step: '1' },
  })
  assert.deepEqual(changed.tags, { step: '1' })
  assert.deepEqual(changed.output, { page: 1 })
  assert.equal(changed.status, 'pending')
  const { workflow: failed } = await bot.updateWorkflow({ id: workflow.id, status: 'failed', failureReason: 'no paper' })
  assert.equal(failed.failureReason, 'no paper')
  stamped(failed, 'completedAt')
  await fails(bot.updateWorkflow({ id: workflow.id, status: 'completed' }), 'InvalidPayload', 400, /is failed/)
  assert.deepEqual(await bot.deleteWorkflow({ id: workflow.id }), {})
  await fails(bot.getWorkflow({ id: workflow.id }), 'ResourceNotFound', 404, /not found/i)
  await fails(bot.deleteWorkflow({ id: workflow.id }), 'ResourceNotFound', 404)
  await fails(bot.updateWorkflow({ id: unknown, status: 'paused' }), 'ResourceNotFound', 404)
})

test('in_progress needs the event under which it is', async () => {
  await fails(bot.createWorkflow({ name: 'x', status: 'in_progress' }), 'InvalidPayload', 400, /eventId/)
  const { event } = await bot.createEvent({ type: 'tick', payload: {} })
  const { workflow } = await bot.createWorkflow({ name: 'x', status: 'in_progress', eventId: event.id })
  await fails(bot.updateWorkflow({ id: workflow.id, status: 'in_progress' }), 'InvalidPayload', 400, /eventId/)
  await fails(
    bot.updateWorkflow({ id: workflow.id, status: 'in_progress', eventId: 'evt_01ARZ3NDEKTSV4RRFFQ69G5FAV' }),
    'ReferenceNotFound',
    400
  )
})

test('get or create, by tags and by status group', async () => {
  const key = external()
  const ask = (more) =>
    bot.getOrCreateWorkflow({ name: 'daily', status: 'listening', tags: { key }, discriminateByTags: ['key'], ...more })
  const { workflow } = await ask()
  const asked = await Promise.all(Array.from({ length: 8 }, () => ask({ tags: { key, other: '1' } })))
  for (const one of asked) assert.deepEqual(one.workflow, workflow)
  const { workflow: strict } = await ask({ tags: { key, other: '1' }, discriminateByTags: undefined })
  assert.notEqual(strict.id, workflow.id)
  await bot.updateWorkflow({ id: strict.id, status: 'cancelled' })
  await bot.updateWorkflow({ id: workflow.id, status: 'completed' })
  assert.equal((await ask({ discriminateByStatusGroup: 'finished' })).workflow.id, workflow.id)
  const { workflow: next } = await ask({ discriminateByStatusGroup: 'active' })
  assert.ok(![workflow.id, strict.id].includes(next.id))
  assert.equal((await ask()).workflow.id, workflow.id)
})

test('lists filter and end', async () => {
  const { conversation, user } = await thread()
  const key = external()
  const { workflow: parent } = await bot.createWorkflow({ name: key, status: 'listening' })
  const made = []
  for (let i = 0; i < 25; i++) {
    const { workflow } = await bot.createWorkflow({
      name: i % 2 ? 'odd' : 'even',
      status: 'listening',
      conversationId: conversation.id,
      userId: user.id,
      parentWorkflowId: parent.id,
      tags: { 'a.b:c': key },
    })
    made.unshift(workflow)
  }
  await bot.updateWorkflow({ id: made[0].id, status: 'paused' })
  await bot.updateWorkflow({ id: made[1].id, status: 'cancelled' })
  const ids = (workflows) => workflows.map((one) => one.id)
  for (const filter of [
    { tags: { 'a.b:c': key } },
    { conversationId: conversation.id },
    { userId: user.id },
    { parentWorkflowId: parent.id },
  ]) {
    const found = await pages(bot.listWorkflows, 'workflows', filter)
    assert.ok(found.length > 1)
    assert.deepEqual(ids(found.flat()), ids(made))
    const some = await pages(bot.listWorkflows, 'workflows', { ...filter, statuses: ['paused', 'cancelled'] })
    assert.deepEqual(ids(some.flat()), ids(made.slice(0, 2)))
    const one = await bot.listWorkflows({ ...filter, statuses: ['paused'], name: 'even' })
    assert.deepEqual(ids(one.workflows), [made[0].id])
  }
  assert.deepEqual(ids((await bot.listWorkflows({ name: key })).workflows), [parent.id])
  const all = await bot.list.workflows({ tags: { 'a.b:c': key } }).collect()
  assert.deepEqual(ids(all), ids(made))
})

test('states of a workflow, and its events', async () => {
  const { workflow } = await bot.createWorkflow({ name: 'x', status: 'listening' })
  const key = { type: 'workflow', id: workflow.id, name: 'progress' }
  const { state } = await bot.setState({ ...key, payload: { step: 1 } })
  assert.equal(state.type, 'workflow')
  assert.deepEqual((await bot.getState(key)).state.payload, { step: 1 })
  await bot.createEvent({ type: 'answer', payload: { n: 1 }, workflowId: workflow.id })
  // The echo bot takes all there is to take, and does nothing with a workflow.
  const events = await until('both are processed', async () => {
    const { events } = await bot.listEvents({ workflowId: workflow.id, status: 'processed' })
    return events.length === 2 && events
  })
  assert.deepEqual(events.map((one) => one.type), ['workflow_update', 'answer'])
  assert.equal(events[0].payload.type, 'workflow_continued')
  assert.equal(events[0].payload.workflow.id, workflow.id)
  assert.equal((await bot.getWorkflow({ id: workflow.id })).workflow.status, 'pending')
  await bot.deleteWorkflow({ id: workflow.id })
  await fails(bot.getState(key), 'ResourceNotFound', 404, /not found/i)
})

test('an integration has no workflows and sees none', async () => {
  const { workflow } = await bot.createWorkflow({ name: 'x', status: 'listening' })
  await fails(integration.createWorkflow({ name: 'x', status: 'pending' }), 'Forbidden', 403)
  await fails(integration.getWorkflow({ id: workflow.id }), 'ResourceNotFound', 404)
  await fails(integration.updateWorkflow({ id: workflow.id, status: 'paused' }), 'ResourceNotFound', 404)
  await fails(integration.deleteWorkflow({ id: workflow.id }), 'ResourceNotFound', 404)
  assert.deepEqual((await integration.listWorkflows({})).workflows, [])
})

test('actions that are not there', async () => {
  await fails(bot.callAction({ type: 'slack:x', input: {} }), 'InvalidPayload', 400, /alias slack/)
  await fails(bot.callAction({ type: 'telegram:x', input: {} }), 'InvalidPayload', 400, /not active/)
  await fails(bot.callAction({ type: 'x', input: {} }), 'InvalidPayload', 400, /--bot-url/)
})
