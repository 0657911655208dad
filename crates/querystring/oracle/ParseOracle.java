import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.core.KeywordAnalyzer;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.queryparser.classic.ParseException;
import org.apache.lucene.queryparser.classic.QueryParser;
import org.apache.lucene.search.Query;
import org.apache.lucene.util.automaton.TooComplexToDeterminizeException;

/**
 * Says what Lucene's classic query parser makes of queries.
 *
 * <p>Reads one query a line, as hexadecimal UTF-8, and answers each with a line of three columns between tabs:
 * the query as parsed with whole terms (nothing vanishes and nothing is split), with terms split at white
 * space, and the same with neighbouring terms analysed together, which is how the parser comes by default.
 *
 * <p>A column is {@code Q} and {@code Query.toString()} as hexadecimal UTF-8; or {@code E} and the place of the
 * mistake in UTF-16 units where the grammar found it ({@code E-} for other mistakes); or {@code C} where a
 * regular expression is correct but has too many states.
 */
public final class ParseOracle {
  private static final Pattern PLACE = Pattern.compile("Encountered .* at line 1, column (\\d+)\\.", Pattern.DOTALL);

  /** The parser with one rule of Elasticsearch: a star without a field is every document. */
  private static final class Parser extends QueryParser {
    Parser(Analyzer analyzer, boolean split) {
      super("any", analyzer);
      setAllowLeadingWildcard(true);
      setSplitOnWhitespace(split);
    }

    @Override
    protected Query getWildcardQuery(String field, String term) throws ParseException {
      return term.equals("*") && field.equals(getField()) ? newMatchAllDocsQuery() : super.getWildcardQuery(field, term);
    }
  }

  private static String column(Parser parser, String text) {
    try {
      Query query = parser.parse(text);
      return "Q" + hexadecimal(query.toString());
    } catch (ParseException mistake) {
      // The text itself stands in the message, so the cause's is read where there is one.
      Throwable cause = mistake.getCause() == null ? mistake : mistake.getCause();
      Matcher place = PLACE.matcher(String.valueOf(cause.getMessage()));
      return place.lookingAt() ? "E" + place.group(1) : "E-";
    } catch (TooComplexToDeterminizeException complex) {
      return "C";
    } catch (RuntimeException mistake) {
      return "E-";
    }
  }

  private static String hexadecimal(String text) {
    StringBuilder digits = new StringBuilder();
    for (byte one : text.getBytes(StandardCharsets.UTF_8)) {
      digits.append(String.format("%02x", one & 0xff));
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
    Parser whole = new Parser(new KeywordAnalyzer(), true);
    Parser split = new Parser(new WhitespaceAnalyzer(), true);
    Parser joined = new Parser(new WhitespaceAnalyzer(), false);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String query = text(line);
      out.print(column(whole, query) + "\t" + column(split, query) + "\t" + column(joined, query) + "\n");
    }
    out.flush();
  }
}
