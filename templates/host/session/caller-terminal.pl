# The caller's terminal: its attributes, size and foreground. Loaded where a session has a terminal, by the session and by its relay.
#
# See termios(3), ioctl_tty(2), and the kernel's asm-generic/ioctls.h, asm-generic/termbits.h and their like for POWER.
use v5.12;

my ($O_RDWR, $O_NOCTTY, $O_NONBLOCK) = (2, 0400, 04000);
my %requests = (
  generic => {
    get => 0x5401, set => 0x5403, get_group => 0x540f, set_group => 0x5410, take => 0x540e,
    get_size => 0x5413, set_size => 0x5414, unlock => 0x40045431, open_peer => 0x5441,
  },
  power => {
    get => 0x402c7413, set => 0x802c7415, get_group => 0x40047477, set_group => 0x80047476, take => 0x540e,
    get_size => 0x40087468, set_size => 0x80087467, unlock => 0x80045431, open_peer => 0x20005441,
  },
);
# Flags that a raw terminal lacks: of its input IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON, of its local flags
# ISIG ICANON ECHO ECHONL IEXTEN. Flags of a line-mode terminal: ICRNL IXON, OPOST ONLCR, ISIG ICANON ECHO IEXTEN.
# Positions of VMIN and VTIME.
my %layouts = (
  generic => {bytes => 36, raw => [0x5eb, 0x804b], lines => [0x500, 5, 0x800b], minimum => 23, time => 22},
  power => {bytes => 44, raw => [0x3eb, 0x598], lines => [0x300, 3, 0x588], minimum => 21, time => 23},
);
my $OPOST = 1;
1;

# Before leaving the host. @is_terminal says which of the three streams are terminals. Returns undef if the terminal can't be used.
sub find_terminal {
  my ($kind, @is_terminal) = @_;
  my ($input, $output) = map { (grep { $is_terminal[$_] } @$_)[0] } [0, 1, 2], [1, 2, 0];
  my %terminal = (requests => $requests{$kind}, layout => $layouts{$kind});
  $terminal{input} = reopen_terminal($input) // return;
  $terminal{output} = reopen_terminal($output) // return;
  # As in "envs run NAME -- COMMAND | less": others of the pipeline read the terminal, and write to it unchanged. It
  # is made raw when the command asks for it, by /dev/tty if not by a stream; until then the command is in the
  # background of the guest's terminal, which stops it when it asks.
  $terminal{is_shared} = !$is_terminal[0] || !$is_terminal[1];
  $terminal{saved} = get_attributes(\%terminal);
  return \%terminal;
}

# A separate open file description, which can be made non-blocking without the caller's. Another user's terminal can't
# be opened, as after su(1): then the caller's is used, and a process that does not read blocks the relay.
sub reopen_terminal {
  my ($number) = @_;
  my $own;
  return $own if sysopen($own, "/proc/self/fd/$number", $O_RDWR | $O_NOCTTY | $O_NONBLOCK);
  open(my $same, '+<&', $number) or return;
  return $same;
}

sub without_output {
  my ($attributes) = @_;
  my ($input, $output, $rest) = unpack 'I2 a*', $attributes;
  return pack 'I2 a*', $input, $output & ~$OPOST, $rest;
}

sub get_attributes {
  my ($terminal) = @_;
  ioctl($terminal->{input}, $terminal->{requests}{get}, my $attributes = "\0" x 64) or return undef;
  return substr $attributes, 0, $terminal->{layout}{bytes};
}

# As cfmakeraw(3), except that a terminal to which others write still translates line ends.
sub raw_attributes {
  my ($terminal) = @_;
  my $layout = $terminal->{layout};
  my ($input, $output, $control, $local, $rest) = unpack 'I4 a*', $terminal->{saved};
  my $raw = pack 'I4 a*', $input & ~$layout->{raw}[0], $output, $control, $local & ~$layout->{raw}[1], $rest;
  $raw = without_output($raw) unless $terminal->{is_shared};
  substr($raw, $layout->{minimum}, 1) = "\1";
  substr($raw, $layout->{time}, 1) = "\0";
  return $raw;
}

sub copy_size {
  my ($terminal) = @_;
  my $size = "\0" x 8;
  ioctl($terminal->{input}, $terminal->{requests}{get_size}, $size) && ioctl($terminal->{master}, $terminal->{requests}{set_size}, $size);
}

# A terminal that is not the caller's controlling one has no foreground.
sub is_in_foreground {
  my ($terminal) = @_;
  ioctl($terminal->{input}, $terminal->{requests}{get_group}, my $group = pack 'i', 0) or return 1;
  return unpack('i', $group) == getpgrp();
}

# Only if it still has the relay's settings: otherwise another program has the terminal now.
sub restore_terminal {
  my ($terminal) = @_;
  my $now = get_attributes($terminal) // return;
  ioctl($terminal->{input}, $terminal->{requests}{set}, $terminal->{saved}) if $now eq raw_attributes($terminal);
}
