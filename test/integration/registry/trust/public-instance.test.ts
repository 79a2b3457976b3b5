import assert from 'node:assert/strict'
import {test} from 'node:test'
import {bundleFromJSON} from '@sigstore/bundle'
import {verifySigner} from '../../../../src/registry/trust/signer.js'
import {builtInRoot} from '../../../../src/registry/trust/trusted-root.js'
import {fixture} from '../../../support/fixture.js'

const ISSUER = 'https://token.actions.githubusercontent.com'
const SUBJECT =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'

/** Verifies the signature of a statement, which is none of an image, by the roots that envs has. */
async function verifiedBundle(name: string) {
  const bundle = bundleFromJSON(JSON.parse(fixture(`signatures/${name}.json`).toString()))
  assert.equal(bundle.content.$case, 'dsseEnvelope')
  const {payload, payloadType, signatures} = bundle.content.dsseEnvelope
  const head = Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `)
  const content = Buffer.concat([head, payload])
  const signature = signatures[0]?.sig ?? Buffer.alloc(0)
  const signed = {content, signature, bundle, claim: {digests: [], name: undefined}, chain: undefined}
  return verifySigner(signed, {
    ...{kind: 'identity', isEmail: false, roots: {path: builtInRoot()}},
    issuer: {kind: 'exact', text: ISSUER},
    subject: {kind: 'exact', text: SUBJECT},
  })
}

for (const name of ['public-intoto', 'public-hashedrekord']) {
  test(`the roots that envs has verify what the public instance made: ${name}`, async () => {
    assert.deepEqual(await verifiedBundle(name), {kind: 'identity', issuer: ISSUER, subject: SUBJECT})
  })
}

test('an entry of the public log for other bytes is refused', async () => {
  assert.equal(
    await verifiedBundle('public-mismatch'),
    'the entry of one in the transparency log is of another signature',
  )
})
