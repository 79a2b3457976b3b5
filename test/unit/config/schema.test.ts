import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseSettingName, SETTINGS, settingNames} from '../../../src/config/schema.js'

test('has the settings and variables that users were promised', () => {
  assert.deepEqual(
    settingNames().map((name) => [name, SETTINGS[name].variable]),
    [
      ['mirrors.ubuntuBase', 'ENVS_MIRROR_UBUNTU_BASE'],
      ['mirrors.ubuntuCloud', 'ENVS_MIRROR_UBUNTU_CLOUD'],
      ['mirrors.ubuntuArchive', 'ENVS_MIRROR_UBUNTU_ARCHIVE'],
      ['mirrors.debianArchive', 'ENVS_MIRROR_DEBIAN_ARCHIVE'],
      ['mirrors.debianSecurity', 'ENVS_MIRROR_DEBIAN_SECURITY'],
      ['mirrors.lxc', 'ENVS_MIRROR_LXC'],
      ['keyrings', 'ENVS_KEYRINGS'],
      ['defaultImage', 'ENVS_IMAGE'],
      ['imageCheck', 'ENVS_IMAGE_CHECK'],
      ['identity', 'ENVS_IDENTITY'],
      ['engine', 'ENVS_ENGINE'],
      ['networkTool', 'ENVS_NETWORK_TOOL'],
      ['storage', 'ENVS_STORAGE'],
      ['durable', 'ENVS_DURABLE'],
      ['diskBudget', 'ENVS_DISK_BUDGET'],
      ['trashTime', 'ENVS_TRASH_TIME'],
      ['trashSize', 'ENVS_TRASH_SIZE'],
      ['tryMemory', 'ENVS_TRY_MEMORY'],
      ['registries.mirrors', 'ENVS_REGISTRIES_MIRRORS'],
      ['registries.insecure', 'ENVS_REGISTRIES_INSECURE'],
      ['registries.certificates', 'ENVS_REGISTRIES_CERTIFICATES'],
      ['registries.trust', 'ENVS_REGISTRIES_TRUST'],
      ['registries.trustedRoot', 'ENVS_REGISTRIES_TRUSTED_ROOT'],
    ],
  )
})

test('suggests the name that was meant', () => {
  assert.throws(() => parseSettingName('mirrors.lcx'), {
    code: 'ENVS_UNKNOWN_SETTING',
    exitCode: 2,
    suggestions: ['Did you mean mirrors.lxc?', 'envs config list'],
  })
})

for (const name of ['toString', '__proto__', 'mirrors', '']) {
  test(`knows no setting "${name}"`, () => {
    assert.throws(() => parseSettingName(name), {code: 'ENVS_UNKNOWN_SETTING'})
  })
}

test('a policy of trust is a path, or JSON that is typed or that stands in the file', () => {
  const {parseText, parseJson} = SETTINGS['registries.trust'].kind
  const policy = '{"default":[{"type":"reject"}]}'
  assert.deepEqual([parseText('/etc/policy.json'), parseText(policy)], ['/etc/policy.json', policy])
  assert.deepEqual(
    [parseText('policy.json'), parseText('{"default"'), parseText('[]')],
    Array(3).fill(undefined),
  )
  assert.deepEqual([parseJson(policy), parseJson({default: [{type: 'reject'}]})], [policy, policy])
  assert.deepEqual([parseJson([]), parseJson(null), parseJson(1)], Array(3).fill(undefined))
})
