import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openFileClaims} from '../../../../src/rootfs/debs/package-sink.js'

const claimant = (name: string, ...replaces: string[]) => ({name, replaces: new Set(replaces)})
const [OLD, NEW] = [claimant('old'), claimant('new', 'old')]

for (const order of [
  [OLD, NEW],
  [NEW, OLD],
]) {
  test(`the package that replaces another has its file, when ${order[0]?.name} comes first`, () => {
    const claims = openFileClaims()
    const won = order.filter((each) => claims.file('usr/bin/tool', '/bin/tool', each)).map(({name}) => name)
    assert.equal(won.at(-1), 'new')
    assert.deepEqual([...claims.lost('old')], order[0] === OLD ? ['/bin/tool'] : [])
    assert.deepEqual([...claims.lost('new')], [])
  })
}

test('two packages with one file, of which neither replaces the other, are refused', () => {
  const claims = openFileClaims()
  claims.file('usr/bin/tool', '/usr/bin/tool', OLD)
  assert.throws(() => claims.file('usr/bin/tool', '/usr/bin/tool', claimant('stranger')), {
    code: 'ENVS_PACKAGE_REFUSED',
    message: 'Could not unpack the package "stranger": the package old has one of its files.',
  })
})

test('a folder is as base-files has it, else as the first by name, whatever order they come in', () => {
  const claims = openFileClaims()
  const asked = ['zsh', 'bash', 'dash', 'base-files', 'apt'].map((name) =>
    claims.folder('etc', claimant(name)),
  )
  assert.deepEqual(asked, [true, true, false, true, false])
})
