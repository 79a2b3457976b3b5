# The account of the guest for which a session runs its command. Loaded by session.pl.
#
# The files are the guest's: see passwd(5), group(5).
use v5.12;

my $ENOENT = 2;
# The same number on every supported processor; O_RDONLY is 0.
my $O_NONBLOCK = 04000;
my $MAX_ACCOUNT_BYTES = 4 * 1024 * 1024;
1;

# Parsed here: getpwnam would load name service libraries of the guest into this process.
sub find_account {
  my ($wanted) = @_;
  my ($user, $group) = split /:/, $wanted, 2;
  my @entry = find_line('/etc/passwd', $user);
  my %account = @entry
    ? (name => $entry[0], uid => $entry[2], gid => $entry[3], home => $entry[5], shell => $entry[6])
    : $user eq 'root' ? (name => 'root', uid => 0, gid => 0, home => '/root')
    : $user =~ /^\d{1,10}$/ ? (name => $user, uid => $user, gid => $user, home => '/')
    :                         unknown('user');
  if (defined $group) {
    my @group_entry = find_line('/etc/group', $group);
    $account{gid} = @group_entry ? $group_entry[2] : $group =~ /^\d{1,10}$/ ? $group : unknown('group');
  }
  $account{$_} =~ /^\d{1,10}$/ or unknown('user') for qw(uid gid);
  $account{shell} = '/bin/sh' unless length($account{shell} // '') && -x $account{shell};
  # The first is the primary group; the rest are supplementary groups, and must not be an empty list, or $) keeps the
  # old ones.
  $account{groups} = join ' ', $account{gid}, $account{gid}, groups_of($account{name}, $account{gid});
  return %account;
}

sub unknown { my ($what) = @_; $! = $ENOENT; give_up($what) }

# An untrusted file, read before its command runs: a FIFO must not block this process, nor a huge file fill its
# memory. Line by line, because this process keeps all memory that it ever took.
sub open_accounts {
  my ($path) = @_;
  sysopen(my $file, $path, $O_NONBLOCK) or return;
  return unless -f $file && -s _ <= $MAX_ACCOUNT_BYTES;
  return $file;
}

# Returns the fields of the line whose first field, or number in the third, is $wanted.
sub find_line {
  my ($path, $wanted) = @_;
  my $file = open_accounts($path) or return;
  while (defined(my $line = <$file>)) {
    chomp $line;
    my @fields = split /:/, $line, -1;
    return @fields if @fields >= 4 && ($fields[0] eq $wanted || ($wanted =~ /^\d+$/ && $fields[2] eq $wanted));
  }
  return;
}

sub groups_of {
  my ($name, $primary) = @_;
  my $file = open_accounts('/etc/group') or return;
  my @groups;
  while (defined(my $line = <$file>)) {
    next if index($line, $name) < 0;    # far faster than to split each line
    chomp $line;
    my (undef, undef, $gid, $members) = split /:/, $line, -1;
    push @groups, $gid if ($gid // '') =~ /^\d+$/ && $gid != $primary && grep { $_ eq $name } split /,/, $members // '';
  }
  return @groups;
}

sub become {
  my (%account) = @_;
  # For root too: until now this process has the caller's groups, which can open files of the host.
  $) = "$account{groups}";
  $( = $account{gid};
  ($<, $>) = ($account{uid}, $account{uid});
  $> == $account{uid} && $< == $account{uid} && $) + 0 == $account{gid} or give_up('become');
}
