# Limits of this process and of those that it makes. Loaded by session/limits.pl and limits.pl.
use v5.12;

1;

# Lowers limits: pairs RESOURCE=VALUE, separated by spaces. One that is lower already stays.
sub set_rlimits {
  my ($nr_prlimit, $pairs) = @_;
  for my $pair (split ' ', $pairs) {
    my ($resource, $value) = map { $_ + 0 } split /=/, $pair;
    my $present = "\0" x 16;
    next unless syscall($nr_prlimit, 0, $resource, 0, $present) == 0;
    my $wanted = pack 'Q2', map { $_ < $value ? $_ : $value } unpack 'Q2', $present;
    syscall($nr_prlimit, 0, $resource, $wanted, 0);
  }
}
