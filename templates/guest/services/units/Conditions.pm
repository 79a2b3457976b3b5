# Condition*= and Assert*= of a unit. See "Conditions and Asserts" in systemd.unit(5).
package Conditions;
use v5.12;
use warnings;
use POSIX ();
use Text;
use UnitFile;

my %TEST = (
  PathExists        => sub { -e $_[0] },
  PathExistsGlob    => sub { my @found = glob $_[0]; scalar grep { -e } @found },
  PathIsDirectory   => sub { -d $_[0] },
  PathIsSymbolicLink => sub { -l $_[0] },
  PathIsMountPoint  => sub { is_mount_point($_[0]) },
  PathIsReadWrite   => sub { -w $_[0] },
  DirectoryNotEmpty => sub { opendir(my $folder, $_[0]) or return 0; scalar grep { !/^\.\.?$/ } readdir $folder },
  FileNotEmpty      => sub { -f $_[0] && -s _ },
  FileIsExecutable  => sub { -f $_[0] && -x _ },
  User              => sub { $_[0] =~ /^(?:root|0|\@system)$/ },
  # An environment is a container with a user namespace, and its guest is no machine of its own.
  Virtualization    => sub { $_[0] =~ /^(?:1|yes|true|on|container|private-users)$/i },
  Host              => sub { $_[0] eq (POSIX::uname())[1] },
  Capability        => sub { 1 },
  Security          => sub { 0 },
  ACPower           => sub { Text::is_true($_[0]) },
  FirstBoot         => sub { !Text::is_true($_[0]) },
  NeedsUpdate       => sub { 0 },
  KernelCommandLine => sub { 0 },
  ControlGroupController => sub { 0 },
);

# Returns the first condition of this kind ("Condition" or "Assert") that does not hold; undef if all hold. An unknown one holds.
# Of those with "|", one must hold.
sub unmet {
  my ($unit, $kind) = @_;
  my ($one_failed, $has_one);
  for my $key (sort grep { /^Unit\.\Q$kind\E/ } keys %{$unit->{set}}) {
    my $test = $TEST{$key =~ s/^Unit\.\Q$kind\E//r} or next;
    for my $text (UnitFile::values_of($unit, $key)) {
      my ($is_trigger, $is_negated, $argument) = $text =~ /^(\|?)\s*(!?)\s*(.*)$/;
      my $holds = !!$test->($argument) != !!length $is_negated;
      my $told = ($key =~ s/^Unit\.//r) . "=$text";
      if (length $is_trigger) { $holds ? ($has_one = 1) : ($one_failed = $told) }
      elsif (!$holds) { return $told }
    }
  }
  return $has_one ? undef : $one_failed;
}

sub is_mount_point {
  my ($path) = @_;
  my @own = lstat $path or return 0;
  my @above = lstat "$path/..";
  return $own[0] != $above[0] || $own[1] == $above[1];
}

1;
