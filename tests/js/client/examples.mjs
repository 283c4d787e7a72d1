// An example call of each operation, by the official name. The list of operations in
// docs/compatibility.md reads which names are here.
import { bot, botId, external, integration } from './recorder.mjs'

/** What the examples speak of: a conversation of a thread, its user, and a message in it. */
export const prepare = async () => {
  const key = external()
  const id = '-1002100000001/42'
  const named = { tags: { id }, discriminateByTags: ['id'] }
  const { conversation } = await integration.getOrCreateConversation({ channel: 'channel', ...named })
  const { user } = await integration.getOrCreateUser(named)
  const { message } = await integration.createMessage(text(conversation, user))
  const { event } = await bot.createEvent({ type: 'prepared', payload: {}, conversationId: conversation.id })
  const { workflow } = await bot.createWorkflow({ name: key, status: 'listening', tags: { key } })
  await integration.addParticipant({ id: conversation.id, userId: user.id })
  await bot.setState({ ...notes(conversation), payload: { a: 1 } })
  return { key, id, conversation, user, message, event, workflow }
}

const text = (conversation, user, more) => ({
  conversationId: conversation.id,
  userId: user.id,
  type: 'text',
  payload: { text: 'hello' },
  tags: { id: external() },
  ...more,
})

const notes = (conversation) => ({ type: 'conversation', id: conversation.id, name: 'notes' })

const later = () => new Date(Date.now() + 3_600_000).toISOString()

export const examples = {
  createConversation: () => integration.createConversation({ channel: 'channel', tags: { id: external() } }),
  getConversation: ({ conversation }) => bot.getConversation({ id: conversation.id }),
  listConversations: ({ user, id }) =>
    integration.listConversations({
      tags: { id },
      participantIds: [user.id],
      channel: 'channel',
      sortField: 'updatedAt',
      sortDirection: 'asc',
    }),
  getOrCreateConversation: ({ id }) =>
    integration.getOrCreateConversation({ channel: 'channel', tags: { id, lang: 'en' }, discriminateByTags: ['id'] }),
  updateConversation: ({ conversation }) => bot.updateConversation({ id: conversation.id, tags: { mood: 'good' } }),
  deleteConversation: async () => {
    const { conversation } = await integration.createConversation({ channel: 'channel', tags: { id: external() } })
    return integration.deleteConversation({ id: conversation.id })
  },

  listParticipants: ({ conversation }) => integration.listParticipants({ id: conversation.id }),
  addParticipant: async ({ conversation }) => {
    const { user } = await integration.createUser({ tags: { id: external() } })
    return integration.addParticipant({ id: conversation.id, userId: user.id })
  },
  getParticipant: ({ conversation, user }) => integration.getParticipant({ id: conversation.id, userId: user.id }),
  removeParticipant: async ({ conversation }) => {
    const { user } = await integration.createUser({ tags: { id: external() } })
    await integration.addParticipant({ id: conversation.id, userId: user.id })
    return integration.removeParticipant({ id: conversation.id, userId: user.id })
  },

  createUser: () => integration.createUser({ tags: { id: external() }, name: 'Ada', pictureUrl: 'https://example.com/a.png' }),
  getUser: ({ user }) => bot.getUser({ id: user.id }),
  listUsers: ({ conversation }) => integration.listUsers({ conversationId: conversation.id, rangeField: 'updatedAt' }),
  getOrCreateUser: ({ id }) => integration.getOrCreateUser({ tags: { id }, discriminateByTags: ['id'], name: 'Ada' }),
  updateUser: ({ user }) => integration.updateUser({ id: user.id, name: 'Ada L.', tags: { lang: 'en' } }),
  deleteUser: async () => {
    const { user } = await integration.createUser({ tags: { id: external() } })
    return integration.deleteUser({ id: user.id })
  },

  // From the bot, so that a delivery is among what is answered.
  createMessage: ({ conversation }) => bot.createMessage(text(conversation, { id: botId })),
  getOrCreateMessage: ({ conversation, user }) =>
    integration.getOrCreateMessage(text(conversation, user, { discriminateByTags: ['id'] })),
  getMessage: ({ message }) => bot.getMessage({ id: message.id }),
  updateMessage: ({ message }) => integration.updateMessage({ id: message.id, tags: { edited: '1' }, payload: { text: 'hullo' } }),
  listMessages: ({ conversation }) => bot.listMessages({ conversationId: conversation.id, afterDate: conversation.createdAt }),
  deleteMessage: async ({ conversation, user }) => {
    const { message } = await integration.createMessage(text(conversation, user))
    return integration.deleteMessage({ id: message.id })
  },
  initializeIncomingMessage: ({ id }) =>
    integration.initializeIncomingMessage({
      user: { tags: { id }, discriminateByTags: ['id'] },
      conversation: { channel: 'channel', tags: { id }, discriminateByTags: ['id'] },
      message: { type: 'text', payload: { text: 'first' }, tags: { id: external() }, discriminateByTags: ['id'] },
    }),
  importMessages: ({ conversation, user }) => {
    const past = (createdAt) => text(conversation, user, { createdAt, discriminateByTags: ['id'] })
    const messages = [past('2020-01-02T03:04:05.678Z'), past('2020-01-02T03:04:06.000Z')]
    return integration.importMessages({ messages })
  },

  createEvent: ({ conversation, user, message }) =>
    integration.createEvent({
      type: 'custom',
      payload: { n: 1 },
      conversationId: conversation.id,
      userId: user.id,
      messageId: message.id,
    }),
  getEvent: ({ event }) => bot.getEvent({ id: event.id }),
  listEvents: ({ conversation }) => bot.listEvents({ conversationId: conversation.id }),
  cancelScheduledEvent: async () => {
    const { event } = await bot.createEvent({ type: 'reminder', payload: {}, schedule: { dateTime: later() } })
    return bot.cancelScheduledEvent({ id: event.id })
  },

  getState: ({ conversation }) => bot.getState(notes(conversation)),
  setState: ({ conversation }) => bot.setState({ ...notes(conversation), name: 'more', payload: { a: 1 }, expiry: 60_000 }),
  getOrSetState: ({ conversation }) => bot.getOrSetState({ ...notes(conversation), payload: { b: 2 } }),
  patchState: ({ conversation }) => bot.patchState({ ...notes(conversation), payload: { c: 3 } }),
  setStateExpiry: ({ conversation }) => bot.setStateExpiry({ ...notes(conversation), expiry: 60_000 }),

  callAction: ({ conversation, message }) =>
    bot.callAction({
      type: 'telegram:startTypingIndicator',
      input: { conversationId: conversation.id, messageId: message.id },
    }),

  createWorkflow: ({ conversation, user, workflow }) =>
    bot.createWorkflow({
      name: 'report',
      status: 'pending',
      input: { pages: [1, 2] },
      tags: { kind: 'report' },
      conversationId: conversation.id,
      userId: user.id,
      parentWorkflowId: workflow.id,
      timeoutAt: later(),
    }),
  getWorkflow: ({ workflow }) => bot.getWorkflow({ id: workflow.id }),
  updateWorkflow: async ({ key }) => {
    const { workflow } = await bot.createWorkflow({ name: key, status: 'listening' })
    return bot.updateWorkflow({ id: workflow.id, status: 'failed', failureReason: 'no paper', output: { page: 1 } })
  },
  deleteWorkflow: async ({ key }) => {
    const { workflow } = await bot.createWorkflow({ name: key, status: 'listening' })
    return bot.deleteWorkflow({ id: workflow.id })
  },
  listWorkflows: ({ key }) => bot.listWorkflows({ tags: { key }, statuses: ['listening'] }),
  getOrCreateWorkflow: ({ key }) =>
    bot.getOrCreateWorkflow({ name: key, status: 'listening', tags: { key }, discriminateByTags: ['key'] }),

  listTagValues: async () => {
    for (let i = 0; i < 21; i++) await integration.createUser({ tags: { shade: external() } })
    const { meta } = await integration.listTagValues({ key: 'shade', type: 'user' })
    return integration.listTagValues({ key: 'shade', type: 'user', nextToken: meta.nextToken })
  },
}

/** More calls of operations, each with a field that their first example leaves out. */
export const variants = [
  ['createEvent', 'schedule', () => bot.createEvent({ type: 'reminder', payload: {}, schedule: { delay: 3_600_000 } })],
  [
    'createMessage',
    'schedule',
    ({ conversation }) => bot.createMessage(text(conversation, { id: botId }, { schedule: { dateTime: later() } })),
  ],
]
