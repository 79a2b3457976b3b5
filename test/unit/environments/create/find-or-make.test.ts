import assert from 'node:assert/strict'
import {test} from 'node:test'
import {setTimeout as wait} from 'node:timers/promises'
import {findOrMake} from '../../../../src/environments/create/image-layer.js'

const never = new AbortController().signal

/** Takes until it is told to end, and some time to tidy up. */
function slowly(): {make: (signal: AbortSignal) => Promise<string>; steps: string[]} {
  const steps: string[] = []
  return {
    steps,
    async make(signal) {
      steps.push('begun')
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      await wait(20)
      steps.push('tidied up')
      signal.throwIfAborted()
      return 'made'
    },
  }
}

test('what is made begins before anything is found', async () => {
  const steps: string[] = []
  const finding = wait(20).then(() => void steps.push('looked'))
  const made = await findOrMake(finding, never, async () => {
    steps.push('begun')
    return 'made'
  })
  assert.equal(made, 'made')
  assert.deepEqual(steps, ['begun', 'looked'])
})

test('what is found is taken, once nothing is left of what was being made', async () => {
  const {make, steps} = slowly()
  assert.equal(await findOrMake(Promise.resolve('found'), never, make), 'found')
  assert.deepEqual(steps, ['begun', 'tidied up'])
})

test('where looking fails it is that failure, once nothing is left of what was being made', async () => {
  const {make, steps} = slowly()
  await assert.rejects(findOrMake(Promise.reject(new Error('unreadable')), never, make), /unreadable/)
  assert.deepEqual(steps, ['begun', 'tidied up'])
})

test('where making fails and looking does too it is the failure of looking', async () => {
  const finding = wait(20).then(() => {
    throw new Error('another digest')
  })
  const make = () => Promise.reject(new Error('damaged'))
  await assert.rejects(findOrMake(finding, never, make), /another digest/)
  await assert.rejects(findOrMake(Promise.resolve(undefined), never, make), /damaged/)
})

for (const [title, finding] of [
  ['who ends it ends the making', Promise.resolve(undefined)],
  ['who ends it waits no more for what is looked for', new Promise<undefined>(() => {})],
] as const) {
  test(title, async () => {
    const {make, steps} = slowly()
    const ending = new AbortController()
    const running = findOrMake(finding, ending.signal, make)
    ending.abort(new Error('interrupted'))
    await assert.rejects(running, /interrupted/)
    assert.deepEqual(steps, ['begun', 'tidied up'])
  })
}
