// A bot as the official SDK makes it, unmodified, without a definition file.
//   node echo.cjs PORT   with BP_API_URL and BP_TOKEN in the environment, as any deployed bot has
const sdk = require('@botpress/sdk')

const bot = new sdk.Bot({ actions: {}, plugins: {} })

bot.on.message('*', async ({ client, ctx, conversation, message }) => {
  if (message.payload.text === 'throw') throw new Error('this handler is broken')
  await client.createMessage({
    conversationId: conversation.id,
    userId: ctx.botId,
    type: 'text',
    payload: { text: `${conversation.tags['telegram:id']}: ${message.payload.text}` },
    tags: {},
  })
})

bot.on.event('telegram:custom', async ({ client, event }) => {
  await client.setState({ type: 'conversation', id: event.conversationId, name: 'custom', payload: event.payload })
})

bot.start(Number(process.argv[2]))
