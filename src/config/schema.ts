import {didYouMean} from '../errors.js'
import {nearestNames} from '../host/nearest.js'
import {unknownSettingError} from './errors.js'
import {byteSize, choice, folderUrl, imageReference, type Kind, keyringList} from './kinds.js'

/** Every setting and the type of its value; undefined where nothing is built in. */
export type SettingValues = {
  'mirrors.ubuntuBase': string
  'mirrors.ubuntuCloud': string
  'mirrors.ubuntuArchive': string | undefined
  'mirrors.debianArchive': string | undefined
  'mirrors.debianSecurity': string | undefined
  'mirrors.lxc': string
  keyrings: readonly string[]
  defaultImage: string | undefined
  imageCheck: 'daily' | 'always'
  identity: 'auto' | 'mapped' | 'emulated'
  engine: 'auto' | 'bwrap' | 'unshare' | 'proot'
  storage: 'auto' | 'overlay' | 'directory'
  durable: 'auto' | 'always' | 'never'
  diskBudget: string | undefined
  tryMemory: string | undefined
}

export type SettingName = keyof SettingValues

export type Definition<Value> = {
  readonly variable: `ENVS_${string}`
  readonly kind: Kind<Exclude<Value, undefined>>
  readonly builtIn: Value
}

/** The table of settings: how each is written, and what holds when nobody sets it. */
export const SETTINGS: {readonly [Name in SettingName]: Definition<SettingValues[Name]>} = {
  'mirrors.ubuntuBase': {
    variable: 'ENVS_MIRROR_UBUNTU_BASE',
    kind: folderUrl,
    builtIn: 'https://cdimage.ubuntu.com/ubuntu-base',
  },
  'mirrors.ubuntuCloud': {
    variable: 'ENVS_MIRROR_UBUNTU_CLOUD',
    kind: folderUrl,
    builtIn: 'https://cloud-images.ubuntu.com',
  },
  // The archives depend on the architecture, the release's age and the host: their readers know those.
  'mirrors.ubuntuArchive': {variable: 'ENVS_MIRROR_UBUNTU_ARCHIVE', kind: folderUrl, builtIn: undefined},
  'mirrors.debianArchive': {variable: 'ENVS_MIRROR_DEBIAN_ARCHIVE', kind: folderUrl, builtIn: undefined},
  'mirrors.debianSecurity': {variable: 'ENVS_MIRROR_DEBIAN_SECURITY', kind: folderUrl, builtIn: undefined},
  'mirrors.lxc': {
    variable: 'ENVS_MIRROR_LXC',
    kind: folderUrl,
    builtIn: 'https://images.linuxcontainers.org',
  },
  keyrings: {variable: 'ENVS_KEYRINGS', kind: keyringList, builtIn: []},
  defaultImage: {variable: 'ENVS_IMAGE', kind: imageReference, builtIn: undefined},
  imageCheck: {variable: 'ENVS_IMAGE_CHECK', kind: choice('daily', 'always'), builtIn: 'daily'},
  identity: {
    variable: 'ENVS_IDENTITY',
    kind: choice('auto', 'mapped', 'emulated'),
    builtIn: 'auto',
  },
  engine: {
    variable: 'ENVS_ENGINE',
    kind: choice('auto', 'bwrap', 'unshare', 'proot'),
    builtIn: 'auto',
  },
  storage: {
    variable: 'ENVS_STORAGE',
    kind: choice('auto', 'overlay', 'directory'),
    builtIn: 'auto',
  },
  durable: {
    variable: 'ENVS_DURABLE',
    kind: choice('auto', 'always', 'never'),
    builtIn: 'auto',
  },
  diskBudget: {variable: 'ENVS_DISK_BUDGET', kind: byteSize, builtIn: undefined},
  tryMemory: {variable: 'ENVS_TRY_MEMORY', kind: byteSize, builtIn: undefined},
}

/** In the order of the table, which is the order they are shown in. */
export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS).filter(isSettingName)
}

/** @throws {@link unknownSettingError} */
export function parseSettingName(text: string): SettingName {
  if (isSettingName(text)) return text
  throw unknownSettingError({name: text}, {hints: didYouMean(nearestNames(text, settingNames()))})
}

function isSettingName(text: string): text is SettingName {
  return Object.hasOwn(SETTINGS, text)
}
