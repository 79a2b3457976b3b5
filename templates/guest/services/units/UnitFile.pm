# Reads unit files and drop-ins into one table of settings. See systemd.syntax(7).
package UnitFile;
use v5.12;
use warnings;
use Text;

# A hostile tree may have a device or a file without end in the place of a unit.
my $MAX_BYTES = 1 << 20;
# An empty assignment resets a list, but not these: they only grow.
my %ONLY_GROWS = map { $_ => 1 } qw(After Before Requires Requisite Wants BindsTo PartOf Upholds Conflicts OnFailure OnSuccess Triggers);

# Adds the settings of a file to the table, whose keys are "Section.Key". Returns whether the file could be read.
sub read_into {
  my ($set, $name, $path) = @_;
  my $text = text_of($path) // return 0;
  my ($section, $pending) = ('', '');
  for my $next (split /\r?\n/, $text) {
    # A comment may stand between the parts of a continued line.
    next if $next =~ /^\s*[#;]/;
    my $line = $pending . $next;
    if ($line =~ s/\\$/ /) {
      $pending = $line;
      next;
    }
    $pending = '';
    if ($line =~ /^\s*\[(.+)\]\s*$/) {
      $section = $1;
      next;
    }
    my ($key, $value) = $line =~ /^\s*([A-Za-z0-9-]+)\s*=\s*(.*?)\s*$/s or next;
    add($set, "$section.$key", Text::specifiers($name, $value)) unless $section =~ /^X-/;
  }
  return 1;
}

sub add {
  my ($set, $key, $value) = @_;
  my ($plain) = $key =~ /\.(.*)/;
  if (length $value) { push @{$set->{$key}}, $value }
  elsif (!$ONLY_GROWS{$plain}) { $set->{$key} = [] }
}

# Returns the bytes of a regular file; undef for anything else.
sub text_of {
  my ($path) = @_;
  return unless -f $path && -s _ <= $MAX_BYTES;
  open(my $file, '<', $path) or return;
  local $/;
  return <$file> // '';
}

# The last assignment counts.
sub value {
  my ($unit, $key, $default) = @_;
  return $unit->{set}{$key}[-1] // $default;
}

sub values_of {
  my ($unit, $key) = @_;
  return @{$unit->{set}{$key} // []};
}

# All assignments as one list of words.
sub words_of {
  my ($unit, $key) = @_;
  return map { Text::words($_) } values_of($unit, $key);
}

sub is_true {
  my ($unit, $key, $default) = @_;
  return Text::is_true(value($unit, $key, $default // 'no'));
}

# Returns seconds; undef without a limit.
sub seconds {
  my ($unit, $key, $default) = @_;
  return Text::seconds(value($unit, $key, $default));
}

1;
