import assert from 'node:assert/strict'
import {test} from 'node:test'
import {guestNotes} from '../../../src/features/notes.js'
import {templateText} from '../../../src/host/paths.js'

const table = await templateText('guest/notes.txt')

for (const [what, pingGroups, firstPort, gone] of [
  ['nothing', [1, 0], 1024, []],
  ['ping', [0, 2_147_483_647], 1024, ['ping']],
  ['low ports', [1, 0], 22, ['service']],
] as const) {
  test(`a guest's notes of a host that allows ${what} are those of the rest`, () => {
    const notes = guestNotes(table, {name: 'play', run: '', gid: 1000, limits: {pingGroups, firstPort}})
    const firstWords = notes.split('\n').map((line) => /^\w*/.exec(line)?.[0])
    const all = ['systemctl', 'snap', 'reboot', 'ping', 'service', '']
    assert.deepEqual(
      firstWords,
      all.filter((word) => !gone.some((each) => each === word)),
    )
  })
}

test("a guest's notes name what to type in the guest", () => {
  const limits = {pingGroups: [1, 0], firstPort: 1024} as const
  const lines = guestNotes(table, {name: 'play', run: '', gid: 1000, limits}).split('\n')
  assert.ok(lines[0]?.endsWith('To start a service by its script: service SERVICE start'), lines[0])
  assert.match(lines[4] ?? '', /below 1024 .* envs ps play$/)
  assert.deepEqual(
    lines.filter((line) => /[{}']/.test(line)),
    [],
  )
})
