// A Telegram integration in which each member of a group has a conversation of their own with the
// bot. In private chats and channels it is one conversation a chat, as without a script.
//
//   switchboard integrations add javascript examples/one-per-member.js \
//     --alias members --channel telegram --telegram-token 123456789:ABC...
//   switchboard integrations call members conversations.getOrCreateConversation -1001234 --json
//
// docs/javascript.md says what `ctx` holds.

// The conversation's external id: the same for the same member of the same group, whatever else
// changes. An id that contains the time or a random number would open a conversation each time.
const idOf = (ctx, threadId) => {
  // `ctx.sender` is null for a try from the command line, and in events that nobody caused.
  const isGroup = String(ctx.thread.chatType ?? '').endsWith('group')
  return isGroup && ctx.sender ? `${threadId}#${ctx.sender.id}` : threadId
}

const integration = {
  conversations: {
    // Called for each message, with the thread's id: a chat's number, or <chat>/<topic>.
    async getOrCreateConversation(ctx, threadId) {
      const existing = await ctx.bp.conversations.getById(idOf(ctx, threadId))
      if (existing) return existing
      // Two messages at once may both get here. That is all right: after a look-up in the same run
      // that found nothing, `create` gives the conversation that the other has just made.
      return integration.conversations.createConversation(ctx, threadId)
    },

    async createConversation(ctx, threadId) {
      const id = idOf(ctx, threadId)
      console.log('a new conversation', id)
      return ctx.bp.conversations.create({ id, platform: 'telegram' })
    },
  },

  // Without `users` people are mapped as usual: one user a person.
  users: {
    async getOrCreateUser(ctx, personId) {
      return (await ctx.bp.users.getById(personId)) ?? integration.users.createUser(ctx, personId)
    },

    async createUser(ctx, personId) {
      return ctx.bp.users.create({ id: personId, name: ctx.sender?.name })
    },
  },
}
