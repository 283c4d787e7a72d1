// A whole bot: it answers each text in its response. Node's standard library is all it needs.
//   node examples/bot.mjs 9000
//   cargo run --release -- --bot-url http://127.0.0.1:9000/
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'

createServer(async (request, response) => {
  const { event } = await json(request)
  const { message } = event.type === 'message_created' ? event.payload : {}
  const messages =
    message?.type === 'text' ? [{ type: 'text', payload: { text: `You said: ${message.payload.text}` } }] : []
  response.end(JSON.stringify({ messages }))
}).listen(Number(process.argv[2]), '127.0.0.1')
