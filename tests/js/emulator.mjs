// npm telegram-test-api, unmodified, as Telegram: its server for the bot, its client for people.
//   node emulator.mjs PORT TOKEN   prints "ready", waits for a line on standard input, then talks
import assert from 'node:assert/strict'
import { once } from 'node:events'
import TelegramServer from 'telegram-test-api'

const [port, token] = process.argv.slice(2)
const server = new TelegramServer({ port: Number(port), host: '127.0.0.1' })
await server.start()
console.log('ready')
await once(process.stdin, 'data')

const ada = server.getClient(token, { chatId: 501, userId: 501, firstName: 'Ada', timeout: 20_000 })
const team = server.getClient(token, { chatId: -4100200, userId: 502, type: 'group', timeout: 20_000 })

const answers = async (client, count) => {
  const all = []
  while (all.length < count) all.push(...(await client.getUpdates()).result)
  return all.map(({ message }) => [String(message.chat_id), message.text])
}

await ada.sendMessage(ada.makeMessage('hello'))
assert.deepEqual(await answers(ada, 1), [['501', 'hello']])

// Several at once, and a group beside: in order within each chat.
for (const text of ['one', 'two', 'three']) await ada.sendMessage(ada.makeMessage(text))
await team.sendMessage(team.makeMessage('in the group'))
assert.deepEqual(await answers(ada, 3), [
  ['501', 'one'],
  ['501', 'two'],
  ['501', 'three'],
])
assert.deepEqual(await answers(team, 1), [['-4100200', 'in the group']])

// A command is a text with entities; a button press is no text, and holds up nothing.
await ada.sendCommand(ada.makeCommand('/start now'))
await ada.sendCallback(ada.makeCallbackQuery('pressed'))
await ada.sendMessage(ada.makeMessage('after the button'))
assert.deepEqual(await answers(ada, 2), [
  ['501', '/start now'],
  ['501', 'after the button'],
])

await server.stop()
process.exit(0)
