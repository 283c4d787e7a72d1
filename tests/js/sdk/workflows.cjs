// A bot of the official SDK, unmodified, with workflows and actions.
//   node workflows.cjs PORT   with BP_API_URL and BP_TOKEN in the environment
const sdk = require('@botpress/sdk')

const bot = new sdk.Bot({
  actions: {
    add: async ({ input }) => ({ sum: input.a + input.b }),
    refuse: async () => {
      throw new sdk.RuntimeError('no sums today')
    },
    // In the name of the bot, the integration's action.
    type: async ({ client, input }) => (await client.callAction({ type: 'telegram:startTypingIndicator', input })).output,
    order: async ({ workflows, input }) => {
      const { workflow } = await workflows.count.startNewInstance({ input, tags: { for: 'order' } })
      return { id: workflow.id }
    },
  },
  plugins: {},
})

const note = async ({ client, workflow, event }, what) => {
  const seen = [...(workflow.output.seen ?? []), what]
  await client.updateWorkflow({ id: workflow.id, output: { ...workflow.output, seen } })
  return seen
}

// Takes one step each time it is told to, until the steps are done.
const step = (what) => async (props) => {
  await props.workflow.acknowledgeStartOfProcessing()
  const seen = await note(props, what)
  if (seen.length === props.workflow.input.steps) await props.workflow.setCompleted({ output: { seen } })
}
bot.on.workflowStart('count', step('started'))
bot.on.workflowContinue('count', step('continued'))

// Waits for a part of it.
bot.on.workflowStart('parent', async (props) => {
  await props.workflow.acknowledgeStartOfProcessing()
  await note(props, 'started')
  await props.client.createWorkflow({
    name: 'count', status: 'pending', input: { steps: 1 }, parentWorkflowId: props.workflow.id,
  })
  await props.client.updateWorkflow({ id: props.workflow.id, status: 'listening' })
})
bot.on.workflowContinue('parent', async (props) => {
  await props.workflow.acknowledgeStartOfProcessing()
  const { workflows } = await props.client.listWorkflows({ parentWorkflowId: props.workflow.id })
  await props.workflow.setCompleted({ output: { parts: workflows.map((one) => one.status) } })
})

bot.on.workflowTimeout('slow', async ({ client, ctx, workflow, conversation }) => {
  await client.createMessage({
    conversationId: conversation.id, userId: ctx.botId, type: 'text', tags: {},
    payload: { text: `${workflow.status}: ${workflow.input.what}` },
  })
})

bot.start(Number(process.argv[2]))
