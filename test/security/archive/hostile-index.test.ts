import {test} from 'node:test'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'

/** Signed all the same: by the key of an archive of the user's own, say, whose server was taken over. */
const SHA256 = 'a'.repeat(64)

for (const [what, indexed] of [
  ['a path out of the archive', {Filename: '../../../etc/passwd'}],
  ['a path that begins at the root', {Filename: '/etc/passwd'}],
  ['a path with a host', {Filename: '//other.example.org/x.deb'}],
  ['a path with a query', {Filename: 'pool/x.deb?y'}],
  ['a digest that leads to another folder', {SHA256: `../${SHA256.slice(3)}`}],
  ['no digest', {SHA256: ''}],
  ['a size that is no number', {Size: '1e9'}],
  ['a version with an escape sequence', {Version: '1\u001b[2J'}],
  ['dependencies that are none', {Depends: 'apt; rm -rf /'}],
] as const) {
  test(`an entry with ${what} is refused`, async (t) => {
    const {archive, refuses} = await givenVictim(t)
    await archive.publish('release', {
      packages: [...SYSTEM, {name: 'evil', priority: 'required', indexed}],
    })
    await refuses('ENVS_INDEX_MALFORMED', /its entry for "evil" is invalid\.$/)
  })
}

test('an entry that nobody asks for does no harm', async (t) => {
  const {archive, plan} = await givenVictim(t)
  await archive.publish('release', {packages: [...SYSTEM, {name: 'evil', indexed: {Filename: '../x'}}]})
  await plan()
})
