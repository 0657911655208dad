import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.AnalyzerWrapper;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.core.KeywordAnalyzer;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.NoMergePolicy;
import org.apache.lucene.index.Term;
import org.apache.lucene.queryparser.classic.MultiFieldQueryParser;
import org.apache.lucene.queryparser.classic.ParseException;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.FuzzyQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.MatchAllDocsQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.util.automaton.TooComplexToDeterminizeException;

/**
 * Says which documents Lucene finds for queries, and which tokens its standard analyzer makes of texts.
 *
 * <p>Each line asks for something, in columns between tabs; texts are hexadecimal UTF-8. All documents come
 * before the first query.
 *
 * <ul>
 *   <li>{@code D}, then a field's name and a text in turn: a document. Nothing is answered.
 *   <li>{@code T} and a text: answers its tokens, hexadecimal, with spaces between.
 *   <li>{@code Q} and a query: answers {@code H} and the numbers of the documents found; {@code C} where a
 *       regular expression has too many states; {@code E} and the message where it is no query.
 * </ul>
 *
 * <p>Every field has a twin {@code .exact} that is one token. The first argument names the fields for words
 * without one. Elasticsearch's rules here: a list of nothing but prohibitions is everything else, {@code field:*}
 * asks for a value, a star alone is every document, and the values of a field are 100 positions apart.
 */
public final class MatchOracle {
  private static final String HAS = "_has";

  private static final class Analyzers extends AnalyzerWrapper {
    private final Analyzer words = new StandardAnalyzer();
    private final Analyzer whole = new KeywordAnalyzer();

    Analyzers() {
      super(PER_FIELD_REUSE_STRATEGY);
    }

    @Override
    protected Analyzer getWrappedAnalyzer(String field) {
      return field.endsWith(".exact") ? whole : words;
    }

    @Override
    public int getPositionIncrementGap(String field) {
      return 100;
    }
  }

  private static final class Parser extends MultiFieldQueryParser {
    Parser(String[] fields, Analyzer analyzer) {
      super(fields, analyzer);
      setAllowLeadingWildcard(true);
      setSplitOnWhitespace(true);
    }

    @Override
    protected Query getBooleanQuery(List<BooleanClause> clauses) throws ParseException {
      for (BooleanClause clause : clauses) {
        if (clause.getOccur() != BooleanClause.Occur.MUST_NOT) {
          return super.getBooleanQuery(clauses);
        }
      }
      if (clauses.isEmpty()) {
        return null;
      }
      List<BooleanClause> all = new ArrayList<>(clauses);
      all.add(new BooleanClause(new MatchAllDocsQuery(), BooleanClause.Occur.MUST));
      return super.getBooleanQuery(all);
    }

    @Override
    protected Query getWildcardQuery(String field, String term) throws ParseException {
      if (!term.equals("*")) {
        return super.getWildcardQuery(field, term);
      }
      return field == null || field.equals("*") ? new MatchAllDocsQuery() : new TermQuery(new Term(HAS, field));
    }

    @Override
    protected Query newFuzzyQuery(Term term, float edits, int prefix) {
      return new FuzzyQuery(term, (int) Math.min(edits, 2), 0, 10_000, true);
    }
  }

  private static String tokens(Analyzer analyzer, String text) throws Exception {
    StringBuilder answer = new StringBuilder();
    try (TokenStream stream = analyzer.tokenStream("words", new StringReader(text))) {
      CharTermAttribute term = stream.addAttribute(CharTermAttribute.class);
      stream.reset();
      while (stream.incrementToken()) {
        answer.append(answer.length() == 0 ? "" : " ").append(hexadecimal(term.toString()));
      }
      stream.end();
    }
    return answer.toString();
  }

  private static String found(Parser parser, IndexSearcher searcher, String text) throws Exception {
    List<Integer> numbers = new ArrayList<>();
    try {
      Query query = parser.parse(text);
      for (ScoreDoc hit : searcher.search(query, Math.max(1, searcher.getIndexReader().maxDoc())).scoreDocs) {
        numbers.add(hit.doc);
      }
    } catch (TooComplexToDeterminizeException complex) {
      return "C";
    } catch (ParseException | RuntimeException mistake) {
      return "E" + hexadecimal(String.valueOf(mistake.getMessage()));
    }
    Collections.sort(numbers);
    StringBuilder answer = new StringBuilder("H");
    for (int number : numbers) {
      answer.append(' ').append(number);
    }
    return answer.toString();
  }

  private static String hexadecimal(String text) {
    StringBuilder digits = new StringBuilder();
    for (byte one : text.getBytes(StandardCharsets.UTF_8)) {
      digits.append(Character.forDigit((one >> 4) & 15, 16)).append(Character.forDigit(one & 15, 16));
    }
    return digits.toString();
  }

  private static String text(String digits) {
    byte[] bytes = new byte[digits.length() / 2];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    PrintStream out = new PrintStream(System.out, false, "US-ASCII");
    BooleanQuery.setMaxClauseCount(100_000);
    Analyzer analyzer = new Analyzers();
    Parser parser = new Parser(arguments[0].split(","), analyzer);
    ByteBuffersDirectory directory = new ByteBuffersDirectory();
    IndexWriter writer = new IndexWriter(directory, new IndexWriterConfig(analyzer).setMergePolicy(NoMergePolicy.INSTANCE));
    IndexSearcher searcher = null;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] columns = line.split("\t", -1);
      if (columns[0].equals("D")) {
        Document document = new Document();
        for (int i = 1; i + 1 < columns.length; i += 2) {
          String value = text(columns[i + 1]);
          document.add(new TextField(columns[i], value, Field.Store.NO));
          document.add(new StringField(columns[i] + ".exact", value, Field.Store.NO));
          document.add(new StringField(HAS, columns[i], Field.Store.NO));
          document.add(new StringField(HAS, columns[i] + ".exact", Field.Store.NO));
        }
        writer.addDocument(document);
        continue;
      }
      if (columns[0].equals("T")) {
        out.print(tokens(analyzer, text(columns[1])) + "\n");
        continue;
      }
      if (searcher == null) {
        writer.close();
        searcher = new IndexSearcher(DirectoryReader.open(directory));
      }
      out.print(found(parser, searcher, text(columns[1])) + "\n");
    }
    out.flush();
  }
}
