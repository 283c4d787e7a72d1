// A bot of npm @botpress/sdk that remembers each conversation and says nothing twice.
//   npm install @botpress/sdk@5.4.3
//   BP_API_URL=http://127.0.0.1:4000 BP_TOKEN=sb_… node examples/sdk.cjs 9000
const sdk = require('@botpress/sdk')

const bot = new sdk.Bot({ actions: {}, plugins: {} })

bot.on.message('text', async ({ client, ctx, conversation, message }) => {
  const key = { type: 'conversation', id: conversation.id, name: 'memory' }
  const { state } = await client.getOrSetState({ ...key, payload: { heard: [] } })
  const heard = [...state.payload.heard.filter((id) => id !== message.id), message.id].slice(-100)
  await client.setState({ ...key, payload: { heard } })
  // An event can come again: the tag lets the same answer be made only once.
  await client.getOrCreateMessage({
    conversationId: conversation.id,
    userId: ctx.botId,
    type: 'text',
    payload: { text: `${heard.length}: ${message.payload.text}` },
    tags: { answers: message.id },
    discriminateByTags: ['answers'],
  })
})

bot.start(Number(process.argv[2]))
