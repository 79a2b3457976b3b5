import assert from 'node:assert/strict'
import {test} from 'node:test'
import {planPackages} from '../../../src/apt/plan.js'
import {openArchive} from '../../support/archive.js'
import {clientOf, TRIXIE} from '../../support/archive-context.js'
import {environmentCli} from '../../support/environment-cli.js'
import {givenVictim, SYSTEM} from '../../support/refused-archive.js'
import {keyringsText, scopedTo} from '../../support/scoped-keyrings.js'

for (const [what, scopeOf] of [
  ['another server', () => 'https://apt.example.org'],
  ['another folder of the same server', (origin: string) => `${origin}/debian-backports`],
  ['the same name below https', (origin: string) => origin.replace('http:', 'https:')],
  ['another suite of the same archive', (origin: string) => `${origin}/debian/dists/bookworm`],
] as const) {
  test(`a Release that is signed by a key for ${what} is refused`, async (t) => {
    const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: SYSTEM})
    const keyrings = scopedTo(scopeOf(archive.server.origin.origin), archive.keyrings)
    const {context} = await clientOf(t, {mirrors: archive.mirrors, keyrings})
    await assert.rejects(planPackages(TRIXIE, context), {code: 'ENVS_UNKNOWN_SIGNER', exitCode: 6})
  })
}

test('a key may be for a suite alone, and does not sign for the others of its mirror', async (t) => {
  const {context, archive} = await givenVictim(t)
  const scope = `${archive.mirrors.debian}/dists/trixie`
  const keyrings = scopedTo(scope, archive.keyrings)
  await assert.rejects(planPackages(TRIXIE, {...context, keyrings}), {
    code: 'ENVS_UNKNOWN_SIGNER',
    message: /dists\/trixie-(updates|security)\//,
  })
})

test('a Release that was verified by a key is verified anew when the key has lost its scope', async (t) => {
  const {context, archive, plan} = await givenVictim(t)
  await plan()
  const keyrings = scopedTo('https://apt.example.org', archive.keyrings)
  await assert.rejects(planPackages(TRIXIE, {...context, keyrings}), {code: 'ENVS_UNKNOWN_SIGNER'})
})

test('a key without a scope is refused in words that show how to give it one', async (t) => {
  const archive = await openArchive(t, {distribution: 'debian', suite: 'trixie', packages: SYSTEM})
  const [keyring] = archive.keyrings
  assert.ok(keyring)
  const cli = await environmentCli(t, {...archive.variables, ENVS_KEYRINGS: keyring.path})
  const refused = await cli.run('image', 'pull', 'trixie/archive')
  assert.equal(refused.status, 2)
  assert.match(refused.stderr, /^envs: ENVS_KEYRINGS cannot be .*: it must be entries URL=PATH/)
  const env = {ENVS_KEYRINGS: keyringsText(archive.keyrings)}
  const pulled = await cli.runWith({env}, 'image', 'pull', 'trixie/archive')
  assert.match(pulled.stderr, /^✔ Download\b/m)
})
