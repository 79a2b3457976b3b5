import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judgeEngines} from '../../../../src/environments/doctor/report.js'

const TWO = {hasSecondNamespace: true, hasProot: true}

const NONE = {bwrap: false, unshare: false, proot: false}

test('the best that works is in force', () => {
  const check = judgeEngines({bwrap: true, unshare: true, proot: true}, 'auto', TWO)
  assert.equal(check.status, 'pass')
  assert.equal(check.evidence, 'bwrap, unshare and proot work here. Environments are started with bwrap.')
})

test('system calls alone are no loss', () => {
  assert.equal(judgeEngines({...NONE, unshare: true}, 'auto', TWO).status, 'pass')
})

test('one user namespace alone is a warning that says what it costs', () => {
  const check = judgeEngines({...NONE, bwrap: true}, 'auto', {...TWO, hasSecondNamespace: false})
  assert.equal(check.status, 'warn')
  assert.match(
    check.evidence,
    /^bwrap works here\. Environments are started with bwrap in one user namespace/,
  )
  assert.match(check.cost ?? '', /uncover parts of \/sys/)
})

test('proot is a warning that says what is lost', () => {
  const check = judgeEngines({...NONE, proot: true}, 'auto', TWO)
  assert.deepEqual(
    [check.status, check.evidence],
    ['warn', 'proot works here. Environments are run by proot.'],
  )
  assert.match(check.cost ?? '', /their programs can access all your files/)
})

test('where nothing works, or not what is asked for, no environment can run', () => {
  assert.equal(judgeEngines(NONE, 'auto', TWO).status, 'fail')
  const check = judgeEngines({...NONE, unshare: true}, 'bwrap', TWO)
  assert.equal(check.status, 'fail')
  assert.match(check.remedy ?? '', /ENVS_ENGINE\) at auto, which selects unshare here/)
})

test('the setting auto is advised only where it helps, and proot only where it is not there', () => {
  const remedy = (...args: Parameters<typeof judgeEngines>) => judgeEngines(...args).remedy ?? ''
  const withoutProot = {...TWO, hasProot: false}
  for (const setting of ['bwrap', 'proot'] as const) {
    assert.equal(remedy(NONE, setting, TWO), 'See the other checks.')
    assert.match(
      remedy(NONE, setting, withoutProot),
      /^See the other checks\. .*: envs doctor --fetch proot$/,
    )
  }
  assert.match(judgeEngines(NONE, 'proot', withoutProot).evidence, /selects proot, which was not found\.$/)
  assert.match(remedy({...NONE, proot: true}, 'proot', TWO), /^See the checks of user namespaces/)
  assert.match(remedy({...NONE, bwrap: true, proot: true}, 'proot', TWO), /at auto, which selects bwrap here/)
})
