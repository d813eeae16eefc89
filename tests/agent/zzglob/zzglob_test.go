package zzglob

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMatchHoldsTheWholePathAgainstThePattern(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"foo/*", "foo/a.rs", true},
		{"foo/*", "foo/src/a.rs", false},
		{"foo/**", "foo/src/a.rs", true},
		{"foo/**", "foo", false},
		{"**", "foo/src/a.rs", true},
		{"**/a.rs", "a.rs", true},
		{"{foo,bar}/[ab].?s", "bar/a.rs", true},
		{"src", "src/a.rs", false},
	} {
		pattern, err := Parse(c.pattern)
		if err != nil {
			t.Fatalf("Parse(%q): %v", c.pattern, err)
		}
		if got := pattern.Match(c.path); got != c.want {
			t.Errorf("Parse(%q).Match(%q) = %t, want %t", c.pattern, c.path, got, c.want)
		}
	}
}

func TestParseRefusesAnOpenBracket(t *testing.T) {
	if _, err := Parse("bar/**/[asdf"); err == nil {
		t.Error("want an error")
	}
}

func TestTildeIsHomeUnlessTurnedOff(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	t.Setenv("USERPROFILE", "/home/someone")
	home, err := Parse("~/x")
	if err != nil || !home.Match("/home/someone/x") {
		t.Errorf("~ is not home: %v, %v", home, err)
	}
	literal, err := Parse("~/x", ExpandTilde(false))
	if err != nil || !literal.Match("~/x") {
		t.Errorf("~ is not itself: %v, %v", literal, err)
	}
}

func TestMultiGlobFindsFilesOfEveryPattern(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"a/one.txt", "a/b/two.txt", "c/three.md"} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var patterns []*Pattern
	for _, glob := range []string{"a/**/*.txt", "c/three.md", "missing/*"} {
		pattern, err := Parse(filepath.Join(root, glob))
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, pattern)
	}
	var found, failed []string
	err := MultiGlob(context.Background(), patterns, func(path string, _ fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil {
			failed = append(failed, filepath.ToSlash(name))
		} else {
			found = append(found, filepath.ToSlash(name))
		}
		return nil
	}, TraverseSymlinks(false))
	slices.Sort(found)
	if err != nil || !slices.Equal(found, []string{"a/b/two.txt", "a/one.txt", "c/three.md"}) {
		t.Errorf("found %v, %v", found, err)
	}
	if !slices.Equal(failed, []string{"missing"}) {
		t.Errorf("a folder that is not there must be told: %v", failed)
	}
}
