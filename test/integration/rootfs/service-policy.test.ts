import assert from 'node:assert/strict'
import {chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fixTree} from '../../../src/rootfs/fixes/apply.js'
import {SERVICE_FIXES} from '../../../src/rootfs/fixes/index.js'
import {readServicePolicy} from '../../../src/rootfs/service-policy.js'
import {treeFolder} from '../../support/extraction.js'
import {FORMER_POLICY} from '../../support/former-policy.js'
import {TREE_FACTS} from '../../support/tree-facts.js'

const PATH = 'usr/sbin/policy-rc.d'

async function debianTree(t: TestContext): Promise<{root: string; program: string}> {
  const root = await treeFolder(t)
  for (const folder of ['var/lib/dpkg', 'usr/sbin']) mkdirSync(join(root, folder), {recursive: true})
  return {root, program: join(root, PATH)}
}

test('the policy of envs is current, one of an earlier version is former, until the fixes are applied', async (t) => {
  const {root, program} = await debianTree(t)
  writeFileSync(program, FORMER_POLICY, {mode: 0o755})
  assert.equal(readServicePolicy([root]), 'former')
  assert.deepEqual(fixTree(root, TREE_FACTS, SERVICE_FIXES), ['service-notes', 'policy-rc.d'])
  assert.equal(readServicePolicy([root]), 'current')
})

for (const [what, change] of [
  ['changed', (program: string) => writeFileSync(program, `${FORMER_POLICY}# mine\n`)],
  ['removed', (program: string) => rmSync(program)],
  ['made not executable', (program: string) => chmodSync(program, 0o644)],
  [
    'replaced by a link to one',
    (program: string) => {
      rmSync(program)
      writeFileSync(`${program}.envs`, FORMER_POLICY, {mode: 0o755})
      symlinkSync('policy-rc.d.envs', program)
    },
  ],
] as const) {
  test(`a policy that somebody has ${what} is their own`, async (t) => {
    const {root, program} = await debianTree(t)
    writeFileSync(program, FORMER_POLICY, {mode: 0o755})
    change(program)
    assert.equal(readServicePolicy([root]), 'own')
  })
}

test('the uppermost layer counts; a tree without dpkg has no use for a policy', async (t) => {
  const [upper, lower] = [await debianTree(t), await debianTree(t)]
  writeFileSync(upper.program, 'own\n', {mode: 0o755})
  writeFileSync(lower.program, FORMER_POLICY, {mode: 0o755})
  assert.equal(readServicePolicy([upper.root, lower.root]), 'own')
  assert.equal(readServicePolicy([lower.root, upper.root]), 'former')
  assert.equal(readServicePolicy([await treeFolder(t)]), 'unused')
})
