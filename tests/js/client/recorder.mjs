// The official client, unmodified, with a listener of ours between it and the server, which passes
// everything on as it is and remembers what was answered last.
import { createServer } from 'node:http'
import { Client } from '@botpress/client'
import { apiUrl, botId, external, integrationId, token } from './lib.mjs'

export { botId, external }

/** The last request's method and path, and its answer. */
export let last

const server = createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  const { host, connection, 'content-length': length, 'transfer-encoding': encoding, ...headers } = request.headers
  const answer = await fetch(apiUrl + request.url, {
    method: request.method,
    headers: { ...headers, 'accept-encoding': 'identity' },
    body: parts.length > 0 ? Buffer.concat(parts) : undefined,
  })
  const body = await answer.text()
  const [path] = request.url.split('?')
  last = { method: request.method.toLowerCase(), path, status: answer.status, body }
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(body)
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
// It must not keep the process when all is done.
server.unref()

const through = { apiUrl: `http://127.0.0.1:${server.address().port}`, token, botId }

/** The bot. */
export const bot = new Client(through)

/** Its integration. */
export const integration = new Client({ ...through, integrationId, integrationAlias: 'telegram' })
