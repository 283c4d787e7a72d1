// Shows /openapi.json. Everything becomes text nodes; no text of the document is read as HTML.
'use strict'

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** An element with attributes and children, which are elements or texts. */
const make = (tag, attributes, ...children) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children.flat().filter((child) => child != null && child !== ''))
  return element
}

/** A text with `code` in it. */
const prose = (text) =>
  (text ?? '').split('`').map((part, index) => (index % 2 ? make('code', {}, part) : part))

const paragraphs = (text) =>
  (text ?? '').split('\n\n').filter(Boolean).map((part) => make('p', {}, prose(part)))

/** Follows a reference within the document. */
const follow = (api, thing) => {
  if (!thing?.$ref) return thing
  return thing.$ref.slice(2).split('/').reduce((at, key) => at?.[key], api)
}

const link = (reference) => {
  const name = reference.split('/').pop()
  return make('a', { href: `#schema-${name}` }, name)
}

/** What type a schema asks for, as texts and links. */
const type = (schema) => {
  if (!schema) return ['anything']
  if (schema.$ref) return [link(schema.$ref)]
  const either = schema.oneOf ?? schema.anyOf ?? schema.allOf
  if (either) return either.flatMap((one, index) => [index ? ' or ' : '', type(one)].flat())
  if (schema.enum) return schema.enum.flatMap((word, index) => [index ? ' | ' : '', make('code', {}, String(word))])
  const types = [schema.type ?? 'anything'].flat()
  return types.flatMap((name, index) => {
    const parts = [index ? ' or ' : '']
    if (name === 'array') parts.push('array of ', ...type(schema.items))
    else if (name === 'object' && schema.additionalProperties?.type) parts.push('map of ', ...type(schema.additionalProperties))
    else parts.push(schema.format && name === 'string' ? `${name} (${schema.format})` : name)
    return parts
  })
}

const LIMITS = {
  minimum: 'at least', maximum: 'at most', minLength: 'characters, at least', maxLength: 'characters, at most',
  minItems: 'items, at least', maxItems: 'items, at most', maxProperties: 'entries, at most', pattern: 'as',
}

const limits = (schema) =>
  Object.entries(LIMITS)
    .filter(([key]) => schema?.[key] !== undefined)
    .map(([key, words]) => make('div', { class: 'quiet' }, `${words} `, make('code', {}, String(schema[key]))))

const row = (name, schema, must, description) =>
  make('tr', {},
    make('td', {}, make('code', {}, name), must ? make('div', { class: 'quiet must' }, 'required') : ''),
    make('td', {}, type(schema), limits(schema), description ? make('div', {}, prose(description)) : ''))

/** The fields of an object, or the type of anything else. */
const fields = (schema) => {
  const properties = Object.entries(schema?.properties ?? {})
  if (!properties.length) return make('p', {}, type(schema), limits(schema))
  return make('table', {}, properties.map(([name, field]) =>
    row(name, field, schema.required?.includes(name), field.description)))
}

const operation = (api, method, path, one) => {
  const parameters = (one.parameters ?? []).map((parameter) => follow(api, parameter))
  const body = one.requestBody?.content?.['application/json']?.schema
  const parts = [
    make('h3', { id: one.operationId }, one.operationId),
    make('div', { class: 'route' }, make('span', { class: 'method' }, method.toUpperCase()), make('code', {}, path)),
    paragraphs(one.summary), paragraphs(one.description),
  ]
  if (parameters.length) {
    parts.push(make('h4', {}, 'Parameters'), make('table', {}, parameters.map((parameter) =>
      row(parameter.explode && parameter.schema.type === 'object' ? `${parameter.name}.<name>` : parameter.name,
        parameter.schema, parameter.required, `${parameter.description ?? ''} (${parameter.in})`))))
  }
  if (body) parts.push(make('h4', {}, 'Body'), fields(follow(api, body)))
  parts.push(make('h4', {}, 'Answers'))
  const failures = []
  for (const [status, reference] of Object.entries(one.responses)) {
    const answer = follow(api, reference)
    if (status >= '400') {
      failures.push(make('tr', {}, make('td', {}, make('code', {}, status)), make('td', {}, prose(answer.description))))
      continue
    }
    parts.push(make('p', {}, make('code', {}, status), ' ', prose(answer.description)))
    const schema = answer.content?.['application/json']?.schema
    if (schema) parts.push(fields(follow(api, schema)))
  }
  if (failures.length) {
    parts.push(make('details', {}, make('summary', { class: 'quiet' }, 'Errors'), make('table', {}, failures)))
  }
  return parts.flat()
}

const show = (api) => {
  const main = document.getElementById('main')
  const list = document.getElementById('list')
  main.replaceChildren(
    make('h1', {}, api.info.title),
    make('p', { class: 'quiet' }, `version ${api.info.version} · `, make('a', { href: 'openapi.json' }, 'openapi.json')),
    ...paragraphs(api.info.description))
  const groups = new Map()
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const tag = item[method].tags?.[0] ?? 'other'
      if (!groups.has(tag)) groups.set(tag, [])
      groups.get(tag).push([method, path, item[method]])
    }
  }
  for (const [tag, operations] of groups) {
    main.append(make('h2', {}, tag))
    list.append(make('section', {}, make('h2', {}, tag), operations.map(([, , one]) =>
      make('a', { href: `#${one.operationId}` }, one.operationId))))
    for (const [method, path, one] of operations) main.append(...operation(api, method, path, one))
  }
  main.append(make('h2', {}, 'schemas'))
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    main.append(make('h3', { id: `schema-${name}` }, name), ...paragraphs(schema.description), fields(schema))
  }
  // The browser looked for the fragment before there was anything to find.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView()
}

document.getElementById('filter').addEventListener('input', (event) => {
  const wanted = event.target.value.trim().toLowerCase()
  for (const section of document.querySelectorAll('#list section')) {
    const links = [...section.querySelectorAll('a')]
    for (const one of links) one.hidden = !one.textContent.toLowerCase().includes(wanted)
    section.hidden = links.every((one) => one.hidden)
  }
})

fetch('openapi.json')
  .then((answer) => answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`)))
  .then(show)
  .catch((error) => {
    document.getElementById('main').replaceChildren(
      make('p', {}, `The document cannot be read (${error.message}). Reload the page; if that does not help, look at the server's log.`))
  })
