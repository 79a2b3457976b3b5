import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {Machine} from '../../../hosts/machine.js'
import {readBoot, readScript, readTrials, type Trial} from '../../../hosts/trials.js'

/** Says the lines, then that the host has ended; remembers what was waited for. */
function sayingMachine(lines: readonly string[]): Machine & {readonly waits: string[]} {
  const rest = [...lines]
  const waits: string[] = []
  const nextLine: Machine['nextLine'] = (_, what) => {
    waits.push(what)
    const line = rest.shift()
    return line === undefined ? Promise.reject(new Error(`ended before ${what}`)) : Promise.resolve(line)
  }
  const turnedOff: Machine['turnedOff'] = () => {
    waits.push('its end')
    return Promise.resolve()
  }
  return {waits, nextLine, turnedOff, stop: () => Promise.resolve()}
}

const word = (text: string) => Buffer.from(text).toString('base64')
const HOST = '@host\tubuntu 24.04\t6.8.0\t0.9.0\t16.5'
const step = (column: string, account = 'u') => `@step\tshipped\t${account}\tauto\t${column}`
const done = (status: number, stdout = '') => `@done\t${status}\t${word(stdout)}\t`

async function trialsOf(lines: readonly string[]) {
  const trials: Trial[] = []
  let clock = 0
  const now = () => {
    clock += 1000
    return clock
  }
  const told: string[] = []
  const run = await readTrials(sayingMachine(lines), {
    now,
    onBoot: ({system}) => told.push(system),
    onScene: (scene) => told.push(scene),
    onStep: (text) => told.push(text),
    onTrial: (trial) => trials.push(trial),
  })
  return {trials, told, ...run}
}

test('a trial has its steps with their outputs, and the log of the kernel', async () => {
  const {trials, told, facts, absent} = await trialsOf([
    ...['noise of the line', HOST, '@scene\tshipped', `@entered\t0\t`],
    ...[
      step('doctor'),
      done(0, '{}'),
      step('create'),
      done(7, '{"error":{}}'),
      `@log\t${word('overlayfs: no')}`,
    ],
    ...[step('doctor', 'v'), done(0), '@log\t', '@end\t0'],
  ])
  assert.equal(facts.kernel, '6.8.0')
  assert.deepEqual(told, [
    ...['ubuntu 24.04', 'shipped', 'shipped u auto: doctor 0', 'shipped u auto: create 7'],
    'shipped v auto: doctor 0',
  ])
  assert.deepEqual(absent, [])
  assert.deepEqual(
    trials.map(({account, steps, log, seconds}) => [account, [...steps.keys()], log, seconds]),
    [
      ['u', ['doctor', 'create'], 'overlayfs: no', 1],
      ['v', ['doctor'], '', 1],
    ],
  )
  assert.deepEqual(trials[0]?.steps.get('create'), {status: 7, stdout: '{"error":{}}', stderr: ''})
})

test('a scene that could not be made is told with its log, and has no trials', async () => {
  const {trials, absent} = await trialsOf([HOST, '@scene\tnfs', `@entered\t1\t${word('no nfsd')}`, '@end\t0'])
  assert.deepEqual([trials, absent], [[], [{scene: 'nfs', log: 'no nfsd'}]])
})

test('a host that ends within a step is told with the step', async () => {
  await assert.rejects(trialsOf([HOST, '@scene\tshipped', '@entered\t0\t', step('clone')]), {
    message: 'ended before shipped u auto: clone',
  })
})

test('a marker that does not belong there is refused', async () => {
  await assert.rejects(trialsOf(['@end\t0']), {message: 'The host said @end where nothing waits for it.'})
  await assert.rejects(trialsOf([HOST, '@log\t']), {
    message: 'The host said @log where nothing waits for it.',
  })
})

test('a script has its lines and its status', async () => {
  const printed: string[] = []
  const machine = sayingMachine([HOST, 'one', '@step is no marker here', '@end\t3'])
  assert.equal(await readScript(machine, (line) => printed.push(line)), 3)
  assert.deepEqual(printed, ['one', '@step is no marker here'])
  assert.deepEqual(machine.waits.slice(0, 2), ['the host to boot', 'a line of the script'])
})

test('a first boot says its end, and turns the machine off', async () => {
  const machine = sayingMachine(['@end\t0'])
  await readBoot(machine)
  assert.deepEqual(machine.waits, ['the first boot', 'its end'])
  await assert.rejects(readBoot(sayingMachine([])), {message: 'ended before the first boot'})
})
