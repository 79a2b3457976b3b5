import assert from 'node:assert/strict'
import {once} from 'node:events'
import {appendFile, rename, writeFile} from 'node:fs/promises'
import {test} from 'node:test'
import {programFiles} from '../../../src/environments/programs/program.js'
import {startProgram} from '../../support/background-program.js'
import {sharedGuest} from '../../support/guest.js'
import {stopped} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

const play = sharedGuest('emulated')

test('logs shows what a program printed, from a time on, and how it ended', async () => {
  const guest = await stopped(play)
  const program = await startProgram(guest, 'old', {}, 'sh', '-c', 'printf "a\\033b\\tc\\nno end"')
  await program.until('ended')
  const shown = await guest.cli.run('logs', 'play', '--unit', 'old')
  assert.equal(shown.status, 0, shown.stderr)
  assert.deepEqual(shown.stdout.replace(/^\S{20} /gm, '').split('\n'), [
    'a\u001bb\tc',
    'no end',
    '-- ended with status 0 --',
    '',
  ])
  const {log, olderLog} = programFiles(guest.state, 'old')
  await rename(log, olderLog)
  await writeFile(log, '2001-02-03T04:05:06Z > between\n2001-02-04T00:00:00Z > after\n')
  const since = await guest.cli.run('logs', 'play', '-u', 'old', '--since', '2001-02-03T23:00Z')
  const [first, ...others] = since.stdout.split('\n')
  assert.equal(first, '2001-02-04T00:00:00Z after')
  assert.equal(others.length, 4)
  const none = await guest.cli.run('logs', 'play', '-u', 'old', '--since', '2100-01-01')
  assert.deepEqual([none.status, none.stdout], [0, ''])
})

test('logs --follow shows lines as they come, also of the file after a full one', async () => {
  const guest = await stopped(play)
  const program = await startProgram(guest, 'followed', {}, 'echo', 'begun')
  await program.until('ended')
  const {log, olderLog} = programFiles(guest.state, 'followed')
  const following = guest.start('logs', 'play', '--unit', 'followed', '--follow')
  let text = ''
  following.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
  })
  await waitUntil('the first line', () => text.includes('begun\n'))
  await appendFile(log, '2001-02-03T04:05:06Z > more\n')
  await waitUntil('an added line', () => text.includes('more\n'))
  await rename(log, olderLog)
  await writeFile(log, '2001-02-03T04:05:06Z > new file\n')
  await waitUntil('a line of the new file', () => text.includes('new file\n'))
  const end = once(following, 'exit')
  following.kill('SIGTERM')
  await end
})

test('logs names what it can not show, and the programs of which it shows one', async () => {
  const guest = await stopped(play)
  for (const name of ['one', 'other']) await (await startProgram(guest, name, {}, 'true')).until('ended')
  const several = await guest.cli.run('logs', 'play')
  assert.equal(several.status, 2)
  assert.match(several.stderr, /Several programs have a log in "play": .*one, other/)
  const unknown = await guest.cli.run('logs', 'play', '--unit', '../one')
  assert.deepEqual([unknown.status, unknown.stdout], [3, ''])
  const time = await guest.cli.run('logs', 'play', '--since', 'yesterday')
  assert.equal(time.status, 2)
})
