import assert from 'node:assert/strict'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {bootMachine, type MachineOptions, SilentHostError} from '../../../hosts/machine.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

/** A machine whose QEMU is a shell script; `$console` is the file of the console. */
async function machineOf(t: TestContext, script: string, signal = new AbortController().signal) {
  const folder = await temporaryFolder(t)
  const programs = join(folder, 'programs')
  await mkdir(programs)
  const findConsole = 'for word; do case $word in file:*) console=$' + '{word#file:} ;; esac; done'
  await writeFile(join(programs, 'qemu-system-x86_64'), `#!/bin/sh\n${findConsole}\n${script}\n`, {
    mode: 0o755,
  })
  const path = process.env['PATH']
  process.env['PATH'] = `${programs}:${path}`
  t.after(() => {
    process.env['PATH'] = path
  })
  const image = {disk: '/root.img', kernel: '/vmlinuz', initrd: undefined}
  const options: MachineOptions = {
    ...{image, disk: '/disk.tar', folder, acceleration: 'tcg', patience: 1, signal},
  }
  const machine = bootMachine(options)
  t.after(() => machine.stop())
  return {machine, folder}
}

test('lines come one at a time, and the end of the machine ends them', async (t) => {
  const {machine} = await machineOf(t, 'echo bye >"$console"; printf "one\\r\\ntwo\\n"')
  const next = () => machine.nextLine(30, 'a line')
  assert.deepEqual([await next(), await next()], ['one', 'two'])
  await assert.rejects(next(), {message: 'The host ended before a line. The last lines of the console:\nbye'})
})

test('a silent machine is told with what was waited for and its console, and ends', async (t) => {
  const {machine, folder} = await machineOf(
    t,
    'echo $$ >"$(dirname "$console")/pid"; echo "Kernel panic" >"$console"; echo ready; exec sleep 600',
  )
  assert.equal(await machine.nextLine(30, 'the first line'), 'ready')
  await assert.rejects(machine.nextLine(0.01, 'the step clone'), (error: Error) => {
    assert.ok(error instanceof SilentHostError)
    assert.equal(
      error.message,
      'Waited 0.01 s for the step clone. The last lines of the console:\nKernel panic',
    )
    return true
  })
  await machine.stop()
  const pid = Number(await readFile(join(folder, 'pid'), 'utf8'))
  assert.throws(() => process.kill(pid, 0), {code: 'ESRCH'})
})

test('an interruption ends a wait with its reason', async (t) => {
  const controller = new AbortController()
  const {machine} = await machineOf(t, 'echo ready; exec sleep 600', controller.signal)
  await machine.nextLine(30, 'the first line')
  const wait = machine.nextLine(30, 'nothing')
  controller.abort(new Error('interrupted'))
  await assert.rejects(wait, {message: 'interrupted'})
  await assert.rejects(machine.nextLine(30, 'nothing'), {message: 'interrupted'})
})

test('a machine that turns itself off is waited for, with a limit', async (t) => {
  const {machine} = await machineOf(t, 'echo ready; exec sleep 600')
  await machine.nextLine(30, 'the first line')
  await assert.rejects(machine.turnedOff(0.01), {name: 'SilentHostError'})
  const {machine: quick} = await machineOf(t, 'exit 0')
  await quick.turnedOff(30)
})
