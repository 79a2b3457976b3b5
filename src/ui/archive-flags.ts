import {Flags} from './definitions.js'

/** What an image that is made of packages is to hold. */
export function archiveFlags() {
  return {
    include: Flags.string({
      description:
        'packages beside the usual ones, parted by commas; of an image made from the package archive',
      helpValue: 'PACKAGE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    variant: Flags.string({
      description: 'which packages are the usual ones: those a system needs, or what is important too',
      options: ['minbase', 'standard'],
    }),
    components: Flags.string({
      description: 'parts of the package archive to take packages from; main when left out',
      helpValue: 'COMPONENT',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'allow-expired': Flags.boolean({
      description: 'take a package archive whose time is over, or that has no security updates',
    }),
  }
}

type Wish = {
  readonly variant: 'minbase' | 'standard' | undefined
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly allowExpired: boolean
}

/** The same flags as they were parsed. */
export function archiveWish(flags: {
  include?: readonly string[] | undefined
  variant?: string | undefined
  components?: readonly string[] | undefined
  'allow-expired'?: boolean | undefined
}): Wish {
  const {variant, include = [], components = []} = flags
  return {
    variant: variant === 'minbase' || variant === 'standard' ? variant : undefined,
    include,
    components,
    allowExpired: flags['allow-expired'] === true,
  }
}
