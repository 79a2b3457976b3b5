import assert from 'node:assert/strict'
import {readdirSync} from 'node:fs'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {processStartTime} from '../../../src/host/machine/proc.js'
import {programNamed, startProgram} from '../../support/background-program.js'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'
import {anchorOf, stopped} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: a program in the background is shown by its name, and stop ends it`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    const program = await startProgram(guest, 'web', {}, 'sh', '-c', 'echo up; echo err >&2; sleep 60; :')
    await program.untilLogged('> err')
    const shown = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
    assert.deepEqual(
      shown.map(({program, command}: {program: string; command: string}) => [program, command]),
      [
        ['web', 'sh -c echo up; echo err >&2; sleep 60; :'],
        ['web', 'sleep 60'],
      ],
    )
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    const {state, isStopped, status} = await program.facts()
    assert.deepEqual([state, isStopped, status], ['ended', true, 143])
    assert.deepEqual(program.log(), ['> up', '> err', '# ended with status 143'])
  })

  test(`${identity}: a program starts again after a failure, also of its environment`, {skip}, async () => {
    const guest = await stopped(play)
    const script = 'echo "run of $(id -un)"; sleep 60; :'
    const flags = ['--restart', 'on-failure', '--user', 'games']
    const program = await startProgram(guest, 'again', {flags}, 'sh', '-c', script)
    await program.untilLogged('> run of games')
    process.kill(anchorOf(guest).pid, 'SIGKILL')
    await program.untilLogged('# ended with status 137; starts again in 1 s')
    const {restarts, status} = await program.until('running')
    assert.deepEqual([restarts, status], [1, 137])
    await waitUntil(
      'the second run',
      () => program.log().filter((line) => line === '> run of games').length === 2,
    )
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    assert.equal((await program.facts()).state, 'ended')
  })
}

const play = sharedGuest('emulated')

test('a program that does not start fails as a session does, and is not started again', async () => {
  const guest = await stopped(play)
  const start = (...argv: string[]) =>
    guest.cli.run('run', '--detach', '--json', '--restart', 'always', ...argv)
  const missing = await start('play', 'nonesuch')
  assert.equal(missing.status, 127)
  assert.deepEqual(JSON.parse(missing.stdout), {
    error: {
      code: 'ENVS_COMMAND_NOT_FOUND',
      message: 'The command "nonesuch" was not found in "play".',
      suggestions: [],
    },
  })
  assert.equal((await programNamed(guest, 'nonesuch').facts()).state, 'ended')
  const noUser = await start('--user', 'nonesuch', '--name', 'x', 'play', 'true')
  assert.equal(noUser.status, 125)
  assert.equal(JSON.parse(noUser.stdout).error.code, 'ENVS_SESSION_FAILED')
  const badName = await start('--name', '../x', 'play', 'true')
  assert.equal(badName.status, 125)
  assert.match(JSON.parse(badName.stdout).error.message, /^"\.\.\/x" is not a valid name/)
})

test('a name is taken while its program runs, and the log continues afterwards', async () => {
  const guest = await stopped(play)
  const program = await startProgram(
    guest,
    'one',
    {},
    'sh',
    '-c',
    'echo first; read -r line; echo "got $line"',
  )
  assert.equal((await program.until('ended')).status, 0)
  await startProgram(guest, 'one', {}, 'sh', '-c', 'echo second; sleep 60; :')
  const second = await guest.cli.run('run', '-d', '--json', '--name', 'one', 'play', 'true')
  assert.equal(second.status, 125)
  assert.equal(JSON.parse(second.stdout).error.code, 'ENVS_PROGRAM_RUNNING')
  await program.untilLogged('> second')
  assert.deepEqual(program.log(), ['> first', '> got ', '# ended with status 0', '> second'])
})

test('a program sees the folder, the volumes and the variables of its caller', async () => {
  const guest = await stopped(play)
  await mkdir(join(guest.cli.home, 'shared'), {recursive: true})
  await writeFile(join(guest.cli.home, 'shared', 'note'), 'from the host\n')
  const flags = ['--volume', './shared:/shared', '--env', 'A=1', '--workdir', '/shared']
  const program = await startProgram(guest, 'seeing', {flags}, 'sh', '-c', 'cat note; echo "$A $ENVS_NAME"')
  await program.until('ended')
  assert.deepEqual(program.log(), ['> from the host', '> 1 play', '# ended with status 0'])
})

test('the kept program ends with its keeper, and no descriptor of the keeper reaches it', async () => {
  const guest = await stopped(play)
  const program = await startProgram(guest, 'alone', {}, 'sleep', '60')
  const [sleeping] = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
  assert.deepEqual(readdirSync(`/proc/${sleeping.hostPid}/fd`), ['0', '1', '2'])
  const {keeperPid} = await program.until('running')
  assert.ok(keeperPid)
  process.kill(keeperPid, 'SIGKILL')
  await waitUntil('the end of its keeper', () => processStartTime(keeperPid) === undefined)
  await waitUntil(
    'the end of the program',
    async () => (await guest.cli.run('ps', 'play', '--json')).stdout === '[]\n',
  )
  const {state, status, isStopped} = await program.facts()
  assert.deepEqual([state, status, isStopped], ['ended', null, false])
})

test('SIGTERM for its keeper ends the program, which may clean up', async () => {
  const guest = await stopped(play)
  const script = 'trap "echo cleaned; exit 5" TERM; echo ready; sleep 60 & wait'
  const program = await startProgram(guest, 'clean', {flags: ['--restart', 'always']}, 'sh', '-c', script)
  await program.untilLogged('> ready')
  const {keeperPid} = await program.facts()
  assert.ok(keeperPid)
  process.kill(keeperPid, 'SIGTERM')
  assert.deepEqual((await program.until('ended')).status, 5)
  assert.deepEqual(program.log(), ['> ready', '> cleaned', '# ended with status 5'])
})

test('an environment with a program that waits for its restart can not be renamed, and stop ends the program', async () => {
  const guest = await stopped(play)
  const flags = ['--restart', 'always']
  const program = await startProgram(guest, 'flaky', {flags}, 'sh', '-c', 'exit 3')
  await waitUntil('a long pause', () => program.log().includes('# ended with status 3; starts again in 4 s'))
  const renamed = await guest.cli.run('rename', 'play', 'other')
  assert.equal(renamed.status, 4)
  assert.match(renamed.stderr, /in use by .*envs run --detach --name flaky play/)
  const ended = await guest.cli.run('stop', 'play', '--json')
  assert.deepEqual([ended.status, JSON.parse(ended.stdout).wasRunning], [0, true])
  const {state, isStopped} = await program.facts()
  assert.deepEqual([state, isStopped], ['ended', true])
})

test('a flood of output is kept in two files of a few megabytes', async () => {
  const guest = await stopped(play)
  const script = 'head -c 6000000 /dev/zero | tr "\\0" x; echo; yes line | head -n 300000; echo last'
  const program = await startProgram(guest, 'loud', {}, 'sh', '-c', script)
  await program.untilLogged('> last')
  const bytes = program.log().reduce((sum, line) => sum + line.length + 22, 0)
  assert.ok(bytes > 4_000_000 && bytes < 10_000_000, `${bytes} bytes`)
})

test('services lists programs with their state, and stops one by its name', async () => {
  const guest = await stopped(play)
  const start = (name: string, ...command: string[]) => startProgram(guest, name, {}, ...command)
  await (await start('done', 'true')).until('ended')
  await (await start('broken', 'sh', '-c', 'exit 3')).until('ended')
  const program = await start('up', 'sleep', '60')
  const listed = JSON.parse((await guest.cli.run('services', 'play', '--json')).stdout)
  const rows = listed.services.filter(({kind}: {kind: string}) => kind === 'program')
  const shown = rows.filter(({unit}: {unit: string}) => ['broken', 'done', 'up'].includes(unit))
  assert.deepEqual(
    shown.map(({unit, state, result, description}: Record<string, string>) => [
      unit,
      state,
      result,
      description,
    ]),
    [
      ['broken', 'failed', 'status 3', "sh -c 'exit 3'"],
      ['done', 'inactive', 'success', 'true'],
      ['up', 'active', 'success', 'sleep 60'],
    ],
  )
  const end = await guest.cli.run('services', 'play', 'stop', 'up', '--json')
  assert.equal(end.status, 0, end.stderr)
  const {services: after, ...done} = JSON.parse(end.stdout)
  assert.deepEqual(done, {name: 'play', action: 'stop', units: ['up'], wasRunning: true})
  assert.deepEqual([after.length, after[0].unit, after[0].state], [1, 'up', 'inactive'])
  const {state, isStopped, status} = await program.facts()
  assert.deepEqual([state, isStopped, status], ['ended', true, 143])
})

test('a program that did not start, or has failed, is listed until rm or another of its name', async () => {
  const guest = await stopped(play)
  const services = (...argv: string[]) => guest.cli.run('services', 'play', ...argv)
  const listed = async (name: string) => {
    const {services: rows} = JSON.parse((await services('--json')).stdout)
    const row = rows.find(({unit}: {unit: string}) => unit === name)
    return row && [row.state, row.result]
  }
  await guest.cli.run('run', '--detach', '--name', 'never', 'play', 'nonesuch')
  await (await startProgram(guest, 'fails', {}, 'false')).until('ended')
  assert.deepEqual(await listed('never'), ['failed', 'status 127'])
  assert.deepEqual(await listed('fails'), ['failed', 'status 1'])
  const up = await startProgram(guest, 'never', {}, 'sleep', '60')
  assert.deepEqual(await listed('never'), ['active', 'success'])

  for (const [names, status, code] of [
    [['fails', 'never'], 4, 'ENVS_PROGRAM_NOT_ENDED'],
    [['fails', '../fails'], 3, 'ENVS_PROGRAM_NOT_FOUND'],
  ] as const) {
    const refused = await services('--json', 'rm', ...names)
    assert.deepEqual([refused.status, JSON.parse(refused.stdout).error.code], [status, code])
  }
  assert.deepEqual(await listed('fails'), ['failed', 'status 1'])

  const stop = await services('stop', 'never')
  assert.deepEqual([stop.status, stop.stdout, stop.stderr], [0, '', 'never is inactive in play.\n'])
  const removed = await services('rm', 'fails', 'never', 'never')
  assert.deepEqual(
    [removed.status, removed.stdout, removed.stderr],
    [0, '', 'Removed fails from play.\nRemoved never from play.\n'],
  )
  assert.deepEqual([await listed('fails'), await listed('never')], [undefined, undefined])
  assert.deepEqual(up.log(), [])
  const again = await startProgram(guest, 'fails', {}, 'sleep', '60')
  const quiet = await services('--quiet', 'stop', 'fails')
  assert.deepEqual([quiet.status, quiet.stdout, quiet.stderr], [0, '', ''])
  assert.equal((await again.facts()).state, 'ended')
})
