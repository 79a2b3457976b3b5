import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {sha256Of} from '../../../src/host/digest.js'
import {templatePath} from '../../../src/host/paths.js'
import {POLICY_DIGESTS} from '../../../src/rootfs/service-policy.js'

test('the list of digests begins with the present policy-rc.d: a change of it adds a line, and removes none', () => {
  assert.equal(POLICY_DIGESTS[0], sha256Of(readFileSync(templatePath('rootfs/services/policy-rc.d'))))
  assert.equal(new Set(POLICY_DIGESTS).size, POLICY_DIGESTS.length)
})
